"""``python -m freeda_svc.miniature.training``: train a miniature pack, write it and a report about it."""

from pathlib import Path

import click

from freeda_svc.miniature.training.pack import write_pack
from freeda_svc.miniature.training.plans import PLANS, SMALL_PLAN
from freeda_svc.miniature.training.recipe import train_all, write_models
from freeda_svc.miniature.training.report import write_report
from freeda_svc.packs import BUNDLED


@click.command()
@click.option("--pack", type=click.Choice(list(PLANS)), default=SMALL_PLAN.world.name, show_default=True)
@click.option("--build", type=click.Path(path_type=Path), help="Checkpoints; build/PACK by default.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where the pack is written; its place in the code by default."
)
@click.option("--report", type=click.Path(path_type=Path), help="Where the report goes; docs/PACK by default.")
@click.option("--pack-only", is_flag=True, help="Write the pack from finished checkpoints, without the report.")
def main(pack: str, build: Path | None, out: Path | None, report: Path | None, *, pack_only: bool) -> None:
    """Train a miniature pack's models (resuming from checkpoints), write the pack and a report with its scores."""
    plan, build, out = PLANS[pack], build or Path("build") / pack, out or BUNDLED[pack]
    train_all(build, plan)
    write_models(build, out, plan)
    write_pack(out, plan)
    if not pack_only:
        write_report(build, out, report or Path("docs") / pack, plan)


if __name__ == "__main__":
    main()
