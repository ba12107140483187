from typing import Any

import click
import pytest
from click.testing import CliRunner

from freeda_svc.cli.segment_parameters import parameter_options, read_overrides


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
        "--appearance-weight 0.25 --set appearance_k=7 "
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
        "appearance_weight": 0.25,
        "appearance_k": 7,
        "unknown": "local_after",
        "unknown_threshold": 0.3,
        "refinement": "pamr",
        "origins": ["exemplar"],
        "exemplar_share": 1.0,
        "short_side": 336,
        "superpixel_sigma": 0.5,
        "refinement_dilations": [1, 2],
    }


def test_a_threshold_needs_a_way() -> None:
    with pytest.raises(click.UsageError, match="--unknown-threshold goes with --unknown"):
        read("--unknown-threshold", "0.5")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("short_side", "--set is 'short_side', but must be NAME=VALUE, such as short_side=336"),
        ("=3", "there is no parameter ''; known are k, beta, "),
        ("shortside=3", r"there is no parameter 'shortside'; did you mean short_side\?"),
        ("short side=3", r"there is no parameter 'short side'; did you mean short_side\?"),
    ],
)
def test_other_parameters_are_refused(typed: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        read("--set", typed)


def test_numbers_are_typed_as_people_write_them() -> None:
    assert read("--beta", ".5", "--exemplar-share", "1", "--set", "superpixel_scale=1e2") == {
        "beta": 0.5,
        "exemplar_share": 1.0,
        "superpixel_scale": 100.0,
    }


def test_choices_are_taken_with_hyphens_and_underscores() -> None:
    assert read("--aggregation", "max_similarity") == read("--aggregation", "max-similarity")


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(click.BadParameter, match="the parameter beta is given twice"):
        read("--beta", "1", "--set", "beta=0.5")
