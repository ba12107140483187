"""``freeda eval miniature``: the paper's tables in small, on the painted worlds and without any download."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freeda_svc.cli.completion import complete_packs
from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.evaluation_report import print_ablation, print_evaluation, print_open_vocabulary, write_report
from freeda_svc.cli.exit_codes import Interrupted
from freeda_svc.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from freeda_svc.bank import PrototypeStore
    from freeda_svc.evaluation import Ablated, Dataset, OpenScore, Variant
    from freeda_svc.miniature import World
    from freeda_svc.packs import Pack

Report = Callable[[int, int], None] | None


@click.command()
@click.option("--ablate", is_flag=True, help="Try the method without its parts, and with others in their place.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps scenes, bank, counts and result; the same command goes on there.",
)
@click.option("--captions", type=click.IntRange(min=15), default=280, show_default=True, help="Captions for the bank.")
@click.option("--scenes", type=click.IntRange(min=1), default=100, show_default=True, help="Scenes to segment.")
@click.option(
    "--pack",
    "name",
    default="miniature",
    show_default=True,
    shell_complete=complete_packs,
    help="miniature, miniature-wide, or the folder of a pack trained on one of these worlds.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Repetitions of the wide world's tables, each with other captions, exemplars and scenes.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def miniature(
    out: Path | None, captions: int, scenes: int, name: str, seeds: int, *, ablate: bool, quiet: bool, as_json: bool
) -> None:
    """Evaluate on a painted world, with a bank made for it.

    Captions of its validation set become prototypes, its validation scenes are segmented. With --ablate the paper's
    tables 3 and 5 are made in small: the parts of the method, superpixel algorithms, aggregation, K; then refinement,
    votes by appearance, and curation; also what true regions would give. No bank of the installation is touched.

    On the world of miniature-wide, --ablate measures an open vocabulary: words of the bank, synonyms, general words,
    and words that the bank does not know, each with several ways to segment, as means over --seeds repetitions with
    their 95 % intervals.

    \b
    Examples:
      freeda eval miniature
      freeda eval miniature --ablate --out ablation
      freeda eval miniature --pack miniature-wide --ablate --out open
    """
    started = time.perf_counter()
    pack, world = _open(name)
    if ablate and world.kinds:
        _measure_open(pack, world, out, (captions, scenes, seeds), quiet=quiet, as_json=as_json)
        return
    with _interruptible(out), _place(out) as folder:
        outcome = _run(folder, pack, world, captions, scenes, ablated=ablate, quiet=quiet)
    results = [
        {
            "group": result.variant.group,
            "name": result.variant.name,
            "keep": result.variant.keep,
            "true_regions": result.variant.true_regions,
            "parameters": result.variant.parameters.model_dump(),
            **asdict(result.evaluation),
        }
        for result in outcome
    ]
    report = {"captions": captions, "scenes": scenes, "results": results}
    _answer(out, report, started, as_json=as_json)
    if not as_json and ablate:
        print_ablation(outcome)
    elif not as_json:
        print_evaluation(outcome[0].evaluation)


def _answer(out: Path | None, report: dict[str, Any], started: float, *, as_json: bool) -> None:
    report["seconds"] = round(time.perf_counter() - started, 1)
    if out is not None:
        write_report(out, report)
    if as_json:
        print_json(report)


def _open(name: str) -> "tuple[Pack, World]":
    """Open a pack, and find the world that it was trained on by its name."""
    from freeda_svc.miniature import WORLDS  # noqa: PLC0415 - brings much
    from freeda_svc.packs import load_pack  # noqa: PLC0415 - as above

    pack = load_pack(name)
    if pack.name not in WORLDS:
        raise InputError(f"the pack {pack.name} was not trained on a painted world; --pack takes {' or '.join(WORLDS)}")
    return pack, WORLDS[pack.name]


def _measure_open(
    pack: "Pack", world: "World", out: Path | None, amounts: tuple[int, int, int], *, quiet: bool, as_json: bool
) -> None:
    from freeda_svc.evaluation import OpenPlan, measure_open_vocabulary  # noqa: PLC0415 - brings much

    started, plan = time.perf_counter(), OpenPlan(*amounts)
    with _interruptible(out), _place(out) as folder, ExitStack() as stack:

        def shown(what: str) -> Callable[[int], Report]:
            def begin(seed: int) -> Report:
                stack.close()  # the line of what went before
                label = f"{what}, {seed + 1} of {plan.seeds}"
                found: Report = stack.enter_context(_shown(label, quiet=quiet))
                return found

            return begin

        scores = measure_open_vocabulary(
            pack, world, folder, plan, on_captions=shown("captions"), on_images=shown("scenes")
        )
    report = {**asdict(plan), "results": [_as_row(score) for score in scores]}
    _answer(out, report, started, as_json=as_json)
    if not as_json:
        print_open_vocabulary(scores)


def _as_row(score: "OpenScore") -> dict[str, Any]:
    return {**asdict(score), "mean": score.mean, "half_width": score.half_width}


def _run(
    folder: Path, pack: "Pack", world: "World", captions: int, scenes: int, *, ablated: bool, quiet: bool
) -> "list[Ablated]":
    from freeda_svc.bank import make_or_open_folder  # noqa: PLC0415 - brings the engine
    from freeda_svc.evaluation import (  # noqa: PLC0415 - brings much
        SUPERPIXEL_NUMBERS,
        Variant,
        ablate,
        bank_place,
        list_variants,
        with_encoder_cache,
        write_validation_set,
    )
    from freeda_svc.segmentation import Segmenter  # noqa: PLC0415 - as above

    given = pack.parameters.segmentation
    variants: tuple[Variant, ...] = (Variant("parts", "full", given),)
    if ablated:
        variants = tuple(filter(_possible, list_variants(given, SUPERPIXEL_NUMBERS)))
    dataset: Dataset = write_validation_set(folder / "scenes", scenes, world)
    sizes = pack.image_text.dimension, pack.backbone.dimension
    with closing(make_or_open_folder(bank_place(folder, captions), pack.fingerprint, *sizes)) as store:
        with _shown("captions", quiet=quiet) as report:
            _fill(store, pack, world, captions, report)
        with _shown("ablation" if ablated else "scenes", quiet=quiet) as report:
            return ablate(
                Segmenter(with_encoder_cache(pack), store),
                store,
                dataset,
                variants,
                folder=folder / "counts",
                identity={"pack": pack.fingerprint, "captions": captions},
                on_progress=report,
            )


def _fill(store: "PrototypeStore", pack: "Pack", world: "World", captions: int, report: Report) -> None:
    from freeda_svc.evaluation import fill_bank, validation_captions  # noqa: PLC0415 - brings much
    from freeda_svc.prototypes import PrototypeBuilder  # noqa: PLC0415 - brings the models

    fill_bank(
        store,
        PrototypeBuilder(pack),
        validation_captions(captions, world),
        pack.parameters.generation.batch_size,
        on_progress=report,
    )


def _possible(variant: "Variant") -> bool:
    """Leave SEEDS out where its library is not installed, and say so."""
    if variant.parameters.superpixels.algorithm != "seeds" or find_spec("cv2") is not None:
        return True
    click.echo("SEEDS superpixels are left out: they need pip install 'freeda-svc[seeds]'.", err=True)
    return False


@contextmanager
def _place(out: Path | None) -> Iterator[Path]:
    """Give the folder to work in: the one that was named, or one that goes afterwards."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="freeda-eval-") as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"{out} cannot be written: {error.strerror}; name another with --out") from error
    yield out


@contextmanager
def _shown(label: str, *, quiet: bool) -> Iterator[Any]:
    if quiet:
        yield None
        return
    with shown_progress(label) as report:
        yield report


@contextmanager
def _interruptible(out: Path | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        kept = "with --out DIR the work is kept, and" if out is None else f"what was done is kept in {out}:"
        raise Interrupted(f"Interrupted; {kept} the same command goes on.") from None
