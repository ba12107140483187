"""``freeda eval precision``: whether masks stay when the encoders compute in another way."""

from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.session import read_settings
from freeda_svc.errors import UnavailableError
from freeda_svc.packs import PRECISIONS, RUNTIMES

if TYPE_CHECKING:
    from freeda_svc.packs import Precision, Runtime


@click.command()
@click.option("--precision", type=click.Choice(PRECISIONS), help="Of the encoders; by default the setting's.")
@click.option("--runtime", type=click.Choice(RUNTIMES), help="Of the encoders; by default the setting encoder_runtime.")
@click.option("--scenes", type=click.IntRange(min=1), default=100, show_default=True, help="Scenes to segment.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def precision(
    context: click.Context,
    /,
    precision: str | None,
    runtime: str | None,
    scenes: int,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """See how far masks stay in another precision.

    Scenes of the miniature world are segmented on this machine's processor, with encoders in that precision or by that
    runtime and with those of torch in float32. It ends with an error when mean IoU differs by more than 0.3 points.

    \b
    Example:
      freeda eval precision --precision bfloat16 --runtime openvino
    """
    from freeda_svc.evaluation import MOST_POINTS, measure_agreement  # noqa: PLC0415 - brings the models

    settings = read_settings(context)
    in_precision = cast("Precision", precision or settings.precision)
    by_runtime = cast("Runtime", runtime or settings.encoder_runtime)
    if quiet:
        found = measure_agreement(in_precision, by_runtime, scenes)
    else:
        with shown_progress("scenes") as report:
            found = measure_agreement(in_precision, by_runtime, scenes, report)
    way = {"precision": in_precision, "runtime": by_runtime}
    if as_json:
        print_json({**way, **asdict(found), "points": found.points, "agrees": found.agrees})
    else:
        click.echo(f"encoders in {in_precision} by {by_runtime}, beside float32 by torch, {found.scenes} scenes:")
        click.echo(f"  equal labels  {100 * found.equal_labels:.2f} % of the pixels")
        click.echo(f"  mean IoU      {100 * found.mean_iou:.2f}, beside {100 * found.mean_iou_float32:.2f}")
        click.echo(f"  time          {found.seconds:.2f} s, beside {found.seconds_float32:.2f} s")
    if not found.agrees:
        raise UnavailableError(
            f"mean IoU differs by {found.points:.2f} points, more than {MOST_POINTS}: use float32 on this machine"
        )
