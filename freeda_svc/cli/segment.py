"""``freeda segment``: images become masks."""

import os
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.bank_option import bank_option
from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.following import end_with, follow_submitted
from freeda_svc.cli.session import open_dispatcher, read_settings
from freeda_svc.errors import InputError
from freeda_svc.jobs import ItemState, JobSummary, export_results, job_items, submit_segment
from freeda_svc.jobs.overrides import SUPERPIXEL_ALGORITHMS
from freeda_svc.prototypes.record import ORIGINS
from freeda_svc.settings import Settings


def read_categories(typed: str) -> list[dict[str, str | None]]:
    """Split a list of categories at commas; blanks around a name do not count.

    Raises:
        InputError: nothing is left, or a name between two commas is missing.
    """
    names = [name.strip() for name in typed.split(",")]
    if not any(names):
        raise InputError("the list of categories is empty; name at least one, such as --categories 'ball, sky'")
    if not all(names):
        raise InputError(f"a category between two commas is missing in {typed!r}; write 'ball, sky'")
    return [{"name": name} for name in names]


def check_writable(folder: Path) -> None:
    """See that a folder can be made or written, before work is done for it; nothing is made yet.

    Raises:
        InputError: it cannot.
    """
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{folder} cannot be written: {nearest} is no folder that can; give another --out")


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-c", "--categories", required=True, help="What to look for, separated by commas: 'ball, sky'.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Where masks are copied to (with --wait)."
)
@bank_option
@click.option("--wait", is_flag=True, help="Follow the job to its end; otherwise only its id is printed.")
@click.option("--k", type=click.IntRange(min=1), help="Prototypes fetched for a category  [default: the pack's]")
@click.option("--beta", type=click.FloatRange(0, 1), help="Weight of the local similarity  [default: the pack's]")
@click.option(
    "--superpixels", type=click.Choice(SUPERPIXEL_ALGORITHMS), help="How regions are cut  [default: the pack's]"
)
@click.option(
    "--origin", "origins", multiple=True, type=click.Choice(ORIGINS), help="Use prototypes of this origin only."
)
@click.option(
    "--exemplar-share",
    type=click.FloatRange(0, 1),
    help="What one exemplar of a category counts, as a share of k  [default: the pack's]",
)
@click.option("--quiet", is_flag=True, help="With --wait: no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def segment(
    context: click.Context,
    images: tuple[Path, ...],
    categories: str,
    out: Path | None,
    bank: str,
    *,
    wait: bool,
    k: int | None,
    beta: float | None,
    superpixels: str | None,
    origins: tuple[str, ...],
    exemplar_share: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Label every pixel of images with a category.

    For each image DIR gets NAME.mask.png (indexed, with palette: pixel values are positions in the list of
    categories), NAME.overlay.png (with a legend) and NAME.json (scores, areas, parameters).

    \b
    Examples:
      freeda segment photo.png -c "ball, grass, sky" --out masks --wait
      freeda segment *.png -c "boat, water" --beta 1 --superpixels none
    """
    if out is not None and not wait:
        raise click.UsageError("--out goes with --wait; fetch results later with freeda jobs export ID --out DIR.")
    if out is not None:
        check_writable(out)
    settings = read_settings(context)
    given: dict[str, Any] = {"k": k, "beta": beta, "superpixels": superpixels, "exemplar_share": exemplar_share}
    given["origins"] = list(origins) or None
    job_id = submit_segment(
        settings,
        images,
        read_categories(categories),
        overrides={name: value for name, value in given.items() if value is not None},
        dispatcher=open_dispatcher(settings),
        bank=bank,
    )
    if not wait:
        print_json({"job": job_id}) if as_json else click.echo(job_id)
        return
    job = follow_submitted(settings, job_id, "segment", quiet=quiet)
    exported = [] if out is None else export_results(settings, job_id, out)
    if as_json:
        print_json({"job": job_id, "state": job.state, "images": _results(settings, job)})
    elif job.progress.done:
        _print_shares(_results(settings, job))
        if out is not None:
            click.echo(f"{3 * len(exported)} files in {out}")
    end_with(context, settings, job)


def _results(settings: Settings, job: JobSummary) -> list[dict[str, Any]]:
    """Return name and summary of each image that is done."""
    items = job_items(settings, job.id, ItemState.DONE)
    return [{"name": item.name, **(item.result or {})} for item in items]


def _print_shares(results: list[dict[str, Any]]) -> None:
    """Print, for each image, the categories that it shows with their share of its area."""
    rows = []
    for result in results:
        shown = sorted(
            (category for category in result["categories"] if not category["absent"]),
            key=lambda category: -category["area_share"],
        )
        rows.append((result["name"], ", ".join(f"{entry['name']} {entry['area_share']:.0%}" for entry in shown)))
    print_table(("image", "shows"), rows)
