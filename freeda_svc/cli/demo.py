"""``freeda demo``: the whole job, small and real."""

from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.backends.local import LocalBackend
from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.exit_codes import Interrupted
from freeda_svc.cli.following import follow_job
from freeda_svc.cli.options import quiet_option
from freeda_svc.jobs import JobSummary
from freeda_svc.settings import Settings


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-output",
    show_default=True,
    help="Folder for the results.",
)
@click.option("--captions", type=click.IntRange(min=30), default=240, show_default=True, help="Captions to begin with.")
@click.option("--scenes", type=click.IntRange(min=10), default=120, show_default=True, help="Scenes to segment.")
@quiet_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def demo(out: Path, captions: int, scenes: int, *, quiet: bool, as_json: bool) -> None:
    """Go from captions to masks on the miniature world.

    It needs no server and no download. Captions are enqueued; the worker paints an image for each, finds every noun
    by cross-attention and fills a bank of prototypes; scenes are segmented with it; then the bank learns a new word.
    The folder gets gallery.png, report.json and every mask.

    \b
    Examples:
      freeda demo --out demo-output
      freeda demo --captions 30 --scenes 10   # smaller and sooner; the masks are worse
    """
    from freeda_svc.demo import DemoPlan, run_demo  # noqa: PLC0415 - brings Celery and the painter with it

    def follow(settings: Settings, job_id: str, label: str) -> JobSummary:
        return follow_job(LocalBackend(settings), job_id, label, quiet=quiet)

    try:
        report = run_demo(DemoPlan(captions=captions, scenes=scenes), out, follow)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted; the demonstration is stopped. What it wrote is in {out}; the same command starts again."
        ) from None
    if as_json:
        print_json(report)
    else:
        _print_report(report, out)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _print_report(report: dict[str, Any], out: Path) -> None:
    ablation, extension = report["ablation"], report["extension"]
    print_table(("noun", "IoU"), [(noun, _percent(value)) for noun, value in report["iou"].items()])
    click.echo("")
    print_table(
        ("what", "value"),
        [
            ("mean IoU, local similarity only", _percent(ablation["local_only"])),
            ("mean IoU, with global similarity", _percent(ablation["with_global"])),
            ("mean IoU, with superpixels: the full method", _percent(ablation["full"])),
            ("mean IoU, refined along edges besides (--refine pamr)", _percent(ablation["refined"])),
            ("mean IoU, control: another class's prototypes", _percent(ablation["random_prototypes"])),
            (f"IoU of '{extension['noun']}' before it was taught", _percent(extension["iou_before"])),
            (f"IoU of '{extension['noun']}' afterwards", _percent(extension["iou_after"])),
            ("images generated", str(report["images_generated"])),
            ("prototypes in the bank", str(report["prototypes"])),
            ("scenes segmented, each six times", str(report["test_scenes"])),
            ("seconds", f"{report['seconds']:.0f}"),
        ],
    )
    click.echo(f"\nSee {out / 'gallery.png'}; numbers are in {out / 'report.json'}, masks in {out / 'masks'}.")
