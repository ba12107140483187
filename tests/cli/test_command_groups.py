"""Options that are given twice: their values add up, or the command is refused."""

from collections.abc import Callable
from typing import Any

import click
import pytest

from freeda_svc.cli.main import freeda as root
from freeda_svc.cli.reference import commands

ADD_UP = {
    "freeda worker": {"--queue"},
    "freeda segment": {
        *("--list", "--categories", "--categories-file", "--background"),
        *("--format", "--origin", "--set"),
    },
    "freeda jobs export": {"--format"},
    "freeda jobs list": {"--kind", "--state"},
    "freeda bank add-exemplars": {"--noun", "--image", "--mask"},
    "freeda eval miniature": set(),
    "freeda eval precision": set(),
}
"""What may be repeated, by command; datasets below `freeda eval` take the parameters of a segmentation."""
OF_DATASETS = {"--origin", "--set"}

ALL = list(commands(root))
ONE_VALUE = [
    (called, option)
    for called, command in ALL
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and not option.multiple
]


def longest(option: click.Option) -> str:
    return max(option.opts, key=len)


def test_what_may_be_repeated_was_decided_for_every_option() -> None:
    for called, command in ALL:
        found = {longest(option) for option in command.params if isinstance(option, click.Option) and option.multiple}
        assert found == ADD_UP.get(called, OF_DATASETS if called.startswith("freeda eval ") else set()), called


@pytest.mark.parametrize(
    ("called", "option"), ONE_VALUE, ids=[f"{called} {longest(option)}" for called, option in ONE_VALUE]
)
def test_a_single_value_given_twice_is_refused_in_one_line(
    freeda: Callable[..., Any], called: str, option: click.Option
) -> None:
    words = called.split()[1:]
    ran = freeda(*words, *(part for name in (option.opts[0], option.opts[-1]) for part in (name, "1")))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"Error: {longest(option)} is given twice and takes one value; leave out the others. See `{called} --help`.\n"
    )


def test_a_value_is_found_however_it_is_written(freeda: Callable[..., Any]) -> None:
    ran = freeda("segment", "a.png", "-c", "road", "--beta=0.5", "--quiet", "--quiet", "--beta", "1", "--beta=0")
    assert ran.code == 2
    assert ran.err.startswith("Error: --beta is given 3 times and takes one value;")
    assert freeda("jobs", "list", "--limit", "1").code == 0


def test_what_looks_like_an_option_behind_two_dashes_is_none(freeda: Callable[..., Any]) -> None:
    ran = freeda("bank", "search", "--limit", "1", "--", "--limit")
    assert "twice" not in ran.err
