"""``python -m freeda_svc.miniature.training``: train the miniature pack, write it and a report about it."""

from pathlib import Path

import click

from freeda_svc.miniature.training.pack import write_pack
from freeda_svc.miniature.training.recipe import train_all, write_models
from freeda_svc.miniature.training.report import write_report

WEIGHTS = Path(__file__).parents[1] / "weights"


@click.command()
@click.option("--build", type=click.Path(path_type=Path), default=Path("build/miniature"), help="Checkpoints.")
@click.option("--out", type=click.Path(path_type=Path), default=WEIGHTS, help="Where the pack is written.")
@click.option(
    "--report", type=click.Path(path_type=Path), default=Path("docs/miniature"), help="Where the report goes."
)
@click.option("--pack-only", is_flag=True, help="Write the pack from finished checkpoints, without the report.")
def main(build: Path, out: Path, report: Path, *, pack_only: bool) -> None:
    """Train the miniature pack's models (resuming from checkpoints), write the pack and a report with its scores."""
    train_all(build)
    write_models(build, out)
    write_pack(out)
    if not pack_only:
        write_report(build, out, report)


if __name__ == "__main__":
    main()
