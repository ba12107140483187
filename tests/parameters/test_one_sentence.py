"""Options, ``--set``, ``pack.toml`` and requests take every parameter and refuse wrong values in the same words."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from freeda_svc.cli.segment_parameters import FLAGS, parameter_options, read_overrides
from freeda_svc.errors import InputError
from freeda_svc.packs import read_pack_parameters
from freeda_svc.packs.recipes import BUNDLED
from freeda_svc.parameters import PLACES, SegmentationOverrides, SegmentationRequest

WRONG: dict[str, Any] = {
    "k": 0,
    "beta": 1.5,
    "short_side": 16_385,
    "long_side": 0,
    "window": 0,
    "stride": "half",
    "superpixels": "snic",
    "superpixel_scale": 0,
    "superpixel_sigma": 101,
    "superpixel_min_size": -1,
    "superpixel_region_size": 0,
    "superpixel_slic_compactness": 0,
    "superpixel_watershed_compactness": -1,
    "superpixel_seeds_levels": 11,
    "superpixel_seeds_prior": 6,
    "superpixel_seeds_bins": 13,
    "superpixel_seeds_iterations": 0,
    "superpixel_quickshift_ratio": 1.1,
    "superpixel_quickshift_kernel_size": 0.5,
    "superpixel_quickshift_max_distance": 0,
    "origins": ["drawn"],
    "exemplar_share": -0.1,
    "window_way": "half",
    "local_similarity": "dot",
    "aggregation": "median",
    "synonyms": "worst",
    "unknown": "never",
    "unknown_threshold": -1.1,
    "refinement": "crf",
    "refinement_iterations": 1001,
    "refinement_dilations": [0],
    "fill_transparent": "whit",
}


@click.command()
@parameter_options
def command(**given: Any) -> None:  # noqa: ANN401 - options
    click.echo(json.dumps(read_overrides(given)))


def pack_with(folder: Path, name: str, value: object) -> str:
    """A pack whose parameter of that flat name has another value."""
    lines = (BUNDLED["miniature"] / "pack.toml").read_text(encoding="utf-8").splitlines()
    table, key = ".".join(("parameters.segmentation", *PLACES[name][:-1])), PLACES[name][-1]
    if f"[{table}]" not in lines:
        lines[lines.index("[sources.generator]") : 0] = [f"[{table}]"]
        lines.insert(lines.index("[sources.generator]"), f"[{table}]") if f"[{table}]" not in lines else None
    start = lines.index(f"[{table}]") + 1
    end = next(at for at in range(start, len(lines)) if lines[at].startswith("["))
    kept = [line for line in lines[start:end] if not line.startswith(f"{key} =")]
    lines[start:end] = [f"{key} = {json.dumps(value)}", *kept]
    (folder / "pack.toml").write_text("\n".join(lines), encoding="utf-8")
    return str(folder)


def refused(read: Any, *given: Any) -> str:  # noqa: ANN401 - whatever reads
    with pytest.raises(InputError) as caught:
        read(*given)
    return str(caught.value)


def test_every_parameter_is_tried() -> None:
    assert set(WRONG) == set(PLACES)
    assert set(FLAGS) <= set(PLACES)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_in_the_same_words_wherever_it_is_given(name: str, tmp_path: Path) -> None:
    value = WRONG[name]
    sentence = refused(SegmentationOverrides.read, {name: value})
    predicate = sentence.removeprefix(name)
    assert predicate.startswith((" is ", " holds "))
    assert refused(SegmentationRequest.read, {"overrides": {name: value}}) == sentence

    typed = json.dumps(value) if isinstance(value, list) else str(value)
    ran = CliRunner().invoke(command, ["--set", f"{name}={typed}"])
    assert ran.exit_code == 2
    assert ran.output.splitlines()[-1] == f"Error: Invalid value for '--set': {sentence}"
    if name in FLAGS:
        ran = CliRunner().invoke(command, [FLAGS[name], str(value[0] if isinstance(value, list) else value)])
        assert ran.exit_code == 2
        assert ran.output.splitlines()[-1] == f"Error: Invalid value for '{FLAGS[name]}': {sentence}"

    place = ".".join(PLACES[name])
    told = refused(read_pack_parameters, pack_with(tmp_path, name, value))
    assert told == f"{tmp_path / 'pack.toml'}: parameters.segmentation.{place}{predicate}"


@pytest.mark.parametrize("name", PLACES)
def test_a_usable_value_is_taken_wherever_it_is_given(name: str, tmp_path: Path) -> None:
    pack = read_pack_parameters("miniature").parameters.segmentation
    value = pack
    for part in PLACES[name]:
        value = getattr(value, part)
    plain = json.loads(json.dumps(value))
    assert SegmentationRequest.read({"overrides": {name: plain}}).kept()["overrides"] == {name: plain}
    ran = CliRunner().invoke(command, ["--set", f"{name}={plain if isinstance(plain, str) else json.dumps(plain)}"])
    assert json.loads(ran.output) == {name: plain}
    assert read_pack_parameters(pack_with(tmp_path, name, plain)).parameters.segmentation == pack


def test_unknown_names_propose_the_nearest() -> None:
    sentence = refused(SegmentationOverrides.read, {"shortside": 3})
    assert sentence == "there is no parameter 'shortside'; did you mean short_side?"
    assert refused(SegmentationRequest.read, {"overrides": {"shortside": 3}}) == sentence
    ran = CliRunner().invoke(command, ["--set", "shortside=3"])
    assert ran.exit_code == 2
    assert ran.output.splitlines()[-1] == f"Error: Invalid value for '--set': {sentence}"


def test_help_shows_description_range_and_default() -> None:
    shown = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "Weight of the local similarity, eq. 5; 1 leaves the global similarity out. [from 0 to 1]" in shown
    assert "[mean-embedding|mean-similarity|max-similarity]" in shown
    assert shown.count("[default: the pack's]") == len(FLAGS)
