"""The report about a miniature pack: curves as a picture, scores as a table and as JSON."""

import json
from pathlib import Path

from freeda_svc.miniature.training.plans import TrainingPlan
from freeda_svc.miniature.training.scores import score_pack
from freeda_svc.whole_files import placed_whole, write_whole

MODELS = ("autoencoder", "generator", "backbone", "image-text")


def _read_curves(build: Path) -> dict[str, list[dict[str, float]]]:
    return {name: json.loads((build / f"{name}.curve.json").read_text(encoding="utf-8")) for name in MODELS}


def _draw_curves(curves: dict[str, list[dict[str, float]]], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - a development dependency, needed here only

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, len(curves), figsize=(14, 3), constrained_layout=True)
    for axis, (name, curve) in zip(axes, curves.items(), strict=True):
        axis.plot([point["step"] for point in curve], [point["loss"] for point in curve])
        axis.set(title=name, xlabel="step", yscale="log")
    axes[0].set_ylabel("training loss")
    with placed_whole(path) as aside:
        figure.savefig(aside, dpi=90, format="png")
    plt.close(figure)


def _table(scores: dict[str, object], curves: dict[str, list[dict[str, float]]], plan: TrainingPlan) -> str:
    patch_iou, drawn = scores["patch_iou"], scores["drawn"]
    assert isinstance(patch_iou, dict)
    assert isinstance(drawn, dict)
    lines = [
        f"# How the {plan.world.name} pack was trained, and how good its models are",
        "",
        f"Written by `{plan.made_by}`. Scores are on validation scenes that no training has seen.",
        "",
        "![training curves](curves.png)",
        "",
        "| model | steps | minutes | closing loss |",
        "|---|---|---|---|",
        *(
            f"| {name} | {curve[-1]['step']:.0f} | {curve[-1]['seconds'] / 60:.1f} | {curve[-1]['loss']:.4f} |"
            for name, curve in curves.items()
        ),
        "",
        "| score | value |",
        "|---|---|",
        f"| autoencoder: mean absolute error, grey levels | {scores['reconstruction_error']:.2f} |",
        f"| image-text: nearest caption names exactly what is shown | {scores['caption_recall']:.3f} |",
        f"| backbone: patch IoU by nearest class mean, nouns it was trained to name | {scores['patch_iou_seen']:.3f} |",
        f"| backbone: the same, nouns left out of that training | {scores['patch_iou_unseen']:.3f} |",
        f"| generator: nouns of a caption that the image-text model finds | {scores['drawn_mean']:.3f} |",
        "",
        "| noun | patch IoU | drawn |",
        "|---|---|---|",
        *(f"| {noun} | {value:.3f} | {drawn.get(noun, float('nan')):.2f} |" for noun, value in patch_iou.items()),
        "",
    ]
    return "\n".join(lines)


def write_report(build: Path, pack: Path, out: Path, plan: TrainingPlan) -> None:
    """Score the pack and write ``report.md``, ``report.json`` and ``curves.png``.

    Args:
        build: folder of the checkpoints, whose curves are drawn.
        pack: folder of the written pack.
        out: folder of the report.
        plan: what the pack was trained by.
    """
    out.mkdir(parents=True, exist_ok=True)
    curves = _read_curves(build)
    scores = score_pack(pack, plan)
    _draw_curves(curves, out / "curves.png")
    content = json.dumps({"scores": scores, "curves": curves}, indent=1)
    write_whole(out / "report.json", f"{content}\n".encode())
    write_whole(out / "report.md", _table(scores, curves, plan).encode("utf-8"))
