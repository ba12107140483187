"""Options that change how images are segmented, for this one command."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from freeda_svc.cli.options import option_value
from freeda_svc.errors import InputError
from freeda_svc.jobs.overrides import (
    AGGREGATIONS,
    LOCAL_SIMILARITIES,
    OVERRIDE_KEYS,
    REFINEMENT_WAYS,
    SUPERPIXEL_ALGORITHMS,
    SYNONYM_WAYS,
    UNKNOWN_WAYS,
    WINDOW_WAYS,
    check_override,
)
from freeda_svc.prototypes.record import ORIGINS

Command = TypeVar("Command", bound=Callable[..., Any])
_DEFAULT = "  [default: the pack's]"


def _choice(values: Iterable[str]) -> click.Choice[str]:
    return click.Choice([value.replace("_", "-") for value in values])


_OPTIONS = (
    click.option("--k", type=click.IntRange(min=1), help=f"Prototypes fetched for a category{_DEFAULT}"),
    click.option("--beta", type=click.FloatRange(0, 1), help=f"Weight of the local similarity{_DEFAULT}"),
    click.option("--superpixels", type=_choice(SUPERPIXEL_ALGORITHMS), help=f"How regions are cut{_DEFAULT}"),
    click.option("--windows", "window_way", type=_choice(WINDOW_WAYS), help=f"Windows or the whole image{_DEFAULT}"),
    click.option(
        "--local", "local_similarity", type=_choice(LOCAL_SIMILARITIES), help=f"What the local similarity is{_DEFAULT}"
    ),
    click.option("--aggregation", type=_choice(AGGREGATIONS), help=f"How the prototypes are joined{_DEFAULT}"),
    click.option("--synonyms", type=_choice(SYNONYM_WAYS), help=f"What counts of a category's several texts{_DEFAULT}"),
    click.option(
        "--unknown",
        type=_choice(UNKNOWN_WAYS),
        help=(
            "When a pixel belongs to no category. none: never. channel: when its best score is not above the "
            "threshold. local-before: when the local similarity of no category reaches it. local-after: when that of "
            f"the category with the best score does not{_DEFAULT}"
        ),
    ),
    click.option(
        "--unknown-threshold",
        type=float,
        help=(
            "With --unknown: the threshold. Summaries have the scores; behind the sigmoid of --local sigmoid a "
            f"similarity of zero is 0.5, so that lower thresholds do little{_DEFAULT}"
        ),
    ),
    click.option("--refine", "refinement", type=_choice(REFINEMENT_WAYS), help=f"Refine scores along edges{_DEFAULT}"),
    click.option(
        "--fill-transparent",
        metavar="COLOUR",
        help="Lay transparent images over a colour, such as white or #ff8000; otherwise such pixels are unknown.",
    ),
    click.option(
        "--origin",
        "origins",
        multiple=True,
        type=click.Choice(ORIGINS),
        help="Use prototypes of this origin only; may be repeated.",
    ),
    click.option(
        "--exemplar-share",
        type=click.FloatRange(0, 1),
        help=f"What one exemplar of a category counts, as a share of k{_DEFAULT}",
    ),
    click.option(
        "--set",
        "settings_of_parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other parameter, such as short_side=336; may be repeated.",
    ),
)
PARAMETER_NAMES = (
    *("k", "beta", "superpixels", "window_way", "local_similarity", "aggregation", "synonyms", "unknown"),
    *("unknown_threshold", "refinement", "origins", "exemplar_share", "fill_transparent"),
)


def parameter_options(command: Command) -> Command:
    """Give a command the options that change parameters; it gets them as keywords, for ``read_overrides``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options of ``parameter_options`` change, as ``apply_overrides`` takes it.

    Raises:
        UsageError: a threshold for what is unknown without a way of telling it; ``--set`` names no parameter, or one
            that has an option; or a value is not of its parameter's kind.
    """
    if given["unknown_threshold"] is not None and given["unknown"] is None:
        raise click.UsageError("--unknown-threshold goes with --unknown; name a way, such as --unknown channel.")
    changes = {name: given[name] for name in PARAMETER_NAMES if given[name] not in {None, ()}}
    for name, value in changes.items():
        if isinstance(value, str) and name != "fill_transparent":
            changes[name] = value.replace("-", "_")
        elif isinstance(value, tuple):
            changes[name] = list(value)
    for typed in given["settings_of_parameters"]:
        with option_value("--set"):
            name, value = _read_setting(typed)
            if name in changes:
                raise InputError(f"the parameter {name} is given twice; leave one of them out")
        changes[name] = value
    for name, value in changes.items():
        with option_value(f"--{name.replace('_', '-')}" if given.get(name) is not None else "--set"):
            check_override(name, value)
    return changes


def _read_setting(typed: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in typed.partition("="))
    if not equals or name not in OVERRIDE_KEYS:
        raise InputError(f"--set takes NAME=VALUE with one of {', '.join(OVERRIDE_KEYS)}, not {typed!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
