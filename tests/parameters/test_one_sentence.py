"""Library, options, ``--set``, ``pack.toml``, requests in SQL and over HTTP refuse wrong values in the same words."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image

import freeda_svc
from freeda_svc.api import make_application
from freeda_svc.cli.segment_categories import ask_categories
from freeda_svc.cli.segment_formats import piece_options, read_collecting
from freeda_svc.cli.segment_parameters import FLAGS, parameter_options, read_overrides
from freeda_svc.errors import InputError
from freeda_svc.packs import read_pack_parameters
from freeda_svc.packs.recipes import BUNDLED
from freeda_svc.parameters import (
    PLACES,
    PieceParameters,
    SegmentationOverrides,
    SegmentationRequest,
    check_categories,
    expectation,
)
from freeda_svc.settings import load_settings

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
    "regions": "circles",
    "region_points_per_side": 0,
    "region_iou_threshold": 1.1,
    "region_stability_threshold": -0.1,
    "region_duplicate_threshold": 2,
    "region_least_area": 1.5,
    "region_overlaps": "mix",
    "origins": ["drawn"],
    "exemplar_share": -0.1,
    "window_way": "half",
    "local_similarity": "dot",
    "aggregation": "median",
    "synonyms": "worst",
    "appearance_weight": 1.1,
    "appearance_k": 0,
    "unknown": "never",
    "unknown_threshold": -1.1,
    "refinement": "crf",
    "refinement_iterations": 1001,
    "refinement_dilations": [0],
    "fill_transparent": "whit",
}


WRONG_CATEGORIES = (
    ["cat||dog"],
    ["cat", "c" * 201],
    ["cat|Cat"],
    ["dog", "Dog"],
    ["cat|kitten", "kitten"],
    ["|"],
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Asks an application in this process; there is no worker."""
    application = make_application(load_settings(home=tmp_path_factory.mktemp("server") / "home"))
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[freeda_svc.Segmenter]:
    """The library's, with an empty bank."""
    with freeda_svc.open_bank(tmp_path_factory.mktemp("library") / "bank", "miniature", device="cpu") as bank:
        yield freeda_svc.Segmenter(bank)


@pytest.fixture(scope="module")
def image() -> bytes:
    content = BytesIO()
    Image.new("RGB", (8, 8)).save(content, format="PNG")
    return content.getvalue()


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


def detail(client: TestClient, **request: Any) -> str:  # noqa: ANN401 - as httpx takes it
    answer = client.post("/v1/segmentations", **request)
    assert answer.status_code == 422
    return str(answer.json()["detail"])


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


@pytest.mark.parametrize("name", WRONG)
def test_the_library_refuses_a_wrong_value_in_these_words(name: str, segmenter: freeda_svc.Segmenter) -> None:
    sentence = refused(SegmentationOverrides.read, {name: WRONG[name]})
    assert refused(lambda: segmenter.segment("no.png", ["sky"], **{name: WRONG[name]})) == sentence
    assert refused(lambda: segmenter.segment_many("none", ["sky"], **{name: WRONG[name]})) == sentence
    assert refused(lambda: segmenter.propose("no.png", **{name: WRONG[name]})) == sentence


@pytest.mark.skipif(find_spec("cvat_sdk") is None, reason="cvat-sdk is not installed")
@pytest.mark.parametrize("name", WRONG)
def test_the_function_for_cvat_refuses_a_wrong_value_in_these_words(name: str) -> None:
    from freeda_svc.annotation_tools.cvat import create  # noqa: PLC0415 - needs that library

    sentence = refused(SegmentationOverrides.read, {name: WRONG[name]})
    assert refused(lambda: create("sky", bank="none", **{name: WRONG[name]})) == sentence


@pytest.mark.parametrize("name", WRONG)
def test_the_http_api_refuses_a_wrong_value_in_these_words(name: str, client: TestClient, image: bytes) -> None:
    value = WRONG[name]
    sentence = refused(SegmentationOverrides.read, {name: value})
    asked, files = {"categories": ["sky"], name: value}, {"image": ("a.png", image, "image/png")}
    texts = {"categories": "sky", name: json.dumps(value) if isinstance(value, list) else str(value)}
    assert detail(client, json=asked) == sentence
    assert detail(client, data={"request": json.dumps(asked)}, files=files) == sentence
    assert detail(client, data=texts, files=files) == sentence
    assert detail(client, params=texts, content=image, headers={"Content-Type": "image/png"}) == sentence


@pytest.mark.parametrize("name", WRONG)
def test_documents_name_the_same_range(name: str, client: TestClient) -> None:
    sentence = refused(SegmentationOverrides.read, {name: WRONG[name]})
    route = client.get("/openapi.json").json()["paths"]["/v1/segmentations"]["post"]
    fields = route["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert sentence.endswith(f", but must be {expectation(fields[name])}")
    listed = {one["name"]: one["expected"] for one in client.get("/v1/parameters").json()["parameters"]}
    assert listed[name] == expectation(fields[name])


@pytest.mark.parametrize("categories", WRONG_CATEGORIES)
def test_categories_are_refused_in_the_same_words_wherever_they_are_given(
    categories: list[str], segmenter: freeda_svc.Segmenter, client: TestClient, image: bytes
) -> None:
    sentence = refused(check_categories, categories)
    typed = ", ".join(categories)
    assert refused(SegmentationRequest.read, {"categories": categories}) == sentence
    assert refused(lambda: segmenter.segment("no.png", categories)) == sentence
    with pytest.raises(click.BadParameter) as caught:
        ask_categories([typed], [], None, [])
    assert caught.value.message == sentence
    files = {"image": ("a.png", image, "image/png")}
    assert detail(client, json={"categories": categories}) == sentence
    assert detail(client, data={"categories": typed}, files=files) == sentence


@pytest.mark.parametrize(("name", "value"), [("least_area", 0), ("least_area", "half")])
def test_pieces_are_refused_in_the_same_words_wherever_they_are_given(
    name: str, value: object, client: TestClient
) -> None:
    @click.command()
    @piece_options
    def export(**given: Any) -> None:  # noqa: ANN401 - options
        read_collecting("", given, ["coco"])

    sentence = refused(PieceParameters.read, {name: value})
    ran = CliRunner().invoke(export, [f"--{name.replace('_', '-')}", str(value)])
    assert ran.output.splitlines()[-1] == f"Error: Invalid value for '--{name.replace('_', '-')}': {sentence}"
    answer = client.get("/v1/jobs/0123456789ab/results.zip", params={name: value})
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


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
