"""``freeda samples``: something to try the commands on."""

from pathlib import Path

import click

from freeda_svc.cli.console import print_json
from freeda_svc.cli.options import json_option


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="samples",
    show_default=True,
    help="Folder for the files.",
)
@json_option
def samples(out: Path, *, as_json: bool) -> None:
    """Write sample captions and pictures to try the commands on.

    They are of the small world that the miniature pack knows: captions.txt fills a bank, photos has pictures to
    segment; moon.txt, or the five marked pictures in moon, teach it a new word.

    \b
    Example:
      freeda samples --out samples
    """
    from freeda_svc.demo import write_samples  # noqa: PLC0415 - brings the painter with it

    written = write_samples(out)
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    click.echo(f"{out} has captions.txt, moon.txt, a dozen pictures in photos, and five marked ones in moon.")
    click.echo(f"Next, with `freeda up` running in another terminal: freeda ingest {out / 'captions.txt'} --wait")
