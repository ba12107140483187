from typing import Any

import click
import pytest
from click.testing import CliRunner

from freeda_svc.cli.segment_parameters import PARAMETER_NAMES, parameter_options, read_overrides
from freeda_svc.jobs.overrides import OVERRIDE_KEYS


def read(*arguments: str) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    @click.command()
    @parameter_options
    def command(**given: Any) -> None:  # noqa: ANN401 - options
        seen.append(read_overrides(given))

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return seen[0]


def test_what_is_not_given_stays_the_packs() -> None:
    assert read() == {}


def test_options_become_parameters() -> None:
    typed = (
        "--k 7 --beta 0 --superpixels slic --windows whole --local cosine --aggregation max-similarity --synonyms mean "
        "--unknown local-after --unknown-threshold 0.3 --refine pamr --origin exemplar --exemplar-share 1 "
        "--set short_side=336 --set superpixel_sigma=0.5 --set refinement_dilations=[1,2]"
    )
    assert read(*typed.split()) == {
        "k": 7,
        "beta": 0.0,
        "superpixels": "slic",
        "window_way": "whole",
        "local_similarity": "cosine",
        "aggregation": "max_similarity",
        "synonyms": "mean",
        "unknown": "local_after",
        "unknown_threshold": 0.3,
        "refinement": "pamr",
        "origins": ["exemplar"],
        "exemplar_share": 1.0,
        "short_side": 336,
        "superpixel_sigma": 0.5,
        "refinement_dilations": [1, 2],
    }


def test_every_option_is_a_parameter_of_requests() -> None:
    assert set(PARAMETER_NAMES) <= set(OVERRIDE_KEYS)


def test_a_threshold_needs_a_way() -> None:
    with pytest.raises(click.UsageError, match="--unknown-threshold goes with --unknown"):
        read("--unknown-threshold", "0.5")


@pytest.mark.parametrize("typed", ["short_side", "=3", "shortside=3", "short side=3"])
def test_other_parameters_are_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="--set takes NAME=VALUE with one of beta, k, "):
        read("--set", typed)


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(click.BadParameter, match="the parameter beta is given twice"):
        read("--beta", "1", "--set", "beta=0.5")
