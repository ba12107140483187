"""Label Studio's own converter is the judge: the one in its SDK, which is installed without what else it would need."""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from freeda_svc.outputs import palette
from freeda_svc.outputs.label_studio import label_studio_configuration, label_studio_task, pack_brush
from freeda_svc.outputs.masks import category_runs

NAMES = ("ball", "sky & <sea>", "собака", "🐶")
SCORES = (0.5, 0.7, None, 0.9)
LABELS = arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 3))


def unpack(packed: list[int]) -> np.ndarray:
    """The format read by its description, bit by bit, with no regard to how it was written."""
    bits = "".join(f"{byte:08b}" for byte in packed)
    place = 0

    def read(size: int) -> int:
        nonlocal place
        place += size
        return int(bits[place - size : place], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        is_run, length = read(1), read(sizes[read(2)]) + 1
        values += [read(word)] * length if is_run else [read(word) for _ in range(length)]
    return np.array(values)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_a_brush_unpacks_to_the_mask_in_all_four_channels(labels: np.ndarray) -> None:
    for category, lengths in category_runs(labels.ravel()):
        channels = unpack(pack_brush(lengths)).reshape(*labels.shape, 4)
        assert np.array_equal(channels, np.repeat((labels == category)[..., None] * 255, 4, axis=2))


def label_studios_brush() -> Any:  # noqa: ANN401 - a module of a package without types
    """Label Studio's converter, from the folder where ``make install`` puts it; skips the test where there is none."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(Path(sys.prefix) / "label-studio"))
        return pytest.importorskip("label_studio_sdk.converter.brush", reason="make install: it comes by itself")


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (70, 90), (1, 64), (300, 400)])
def test_label_studios_converter_reads_the_masks(shape: tuple[int, int]) -> None:
    brush = label_studios_brush()
    labels = np.random.default_rng(0).integers(-1, 4, shape).astype(np.int32)
    labels[: shape[0] // 2] = 1  # long runs, too
    task = json.loads(json.dumps(label_studio_task(labels, NAMES, SCORES, file="a.png", model="m")))
    results = task["predictions"][0]["result"]
    # the converter flattens a result's value into the result before it decodes it
    layers = brush.decode_from_annotation("brush", [{**result, **result["value"]} for result in results])
    assert len(layers) == len(set(np.unique(labels).tolist()) - {-1})
    for name, layer in layers.items():
        category = NAMES.index(name.removeprefix("brush-").removesuffix("-0"))
        assert np.array_equal(layer, (labels == category) * 255)


@pytest.mark.parametrize("fill", ["one", "mixed"])
def test_label_studios_converter_packs_the_same_bytes(fill: str) -> None:
    brush = label_studios_brush()
    labels = np.zeros((200, 120), dtype=np.int32)
    if fill == "mixed":
        labels[:, 50:] = np.random.default_rng(1).integers(0, 2, (200, 70))
    for category, lengths in category_runs(labels.ravel()):
        assert pack_brush(lengths) == brush.mask2rle((labels == category).astype(np.uint8) * 255)


def test_a_task_names_its_image_behind_the_prefix() -> None:
    labels = np.array([[0, 1], [-1, 3]], dtype=np.int32)
    task = label_studio_task(labels, NAMES, SCORES, file="a b/ü.png", prefix="http://host/", model="freeda 1")
    assert task["data"] == {"image": "http://host/a%20b/%C3%BC.png"}
    [prediction] = task["predictions"]
    assert prediction["model_version"] == "freeda 1"
    assert prediction["score"] == pytest.approx(0.7)
    shown = [(result["value"]["brushlabels"], result.get("score")) for result in prediction["result"]]
    assert shown == [(["ball"], 0.5), (["sky & <sea>"], 0.7), (["🐶"], 0.9)]
    assert {(result["original_width"], result["original_height"]) for result in prediction["result"]} == {(2, 2)}
    assert len({result["id"] for result in prediction["result"]}) == 3


@pytest.mark.parametrize("scheme", ["s3", "gs", "azure-blob", "S3"])
def test_keys_of_storages_are_written_as_they_are(scheme: str) -> None:
    labels = np.zeros((1, 1), dtype=np.int32)
    file, prefix = "a (1)/ü%20.png", f"{scheme}://bucket/in put/"
    task = label_studio_task(labels, NAMES, SCORES, file=file, prefix=prefix, model="m")
    assert task["data"] == {"image": prefix + file}


@pytest.mark.parametrize("prefix", ["https://host/", "/data/local-files/?d=", "s3/", ""])
def test_addresses_are_encoded(prefix: str) -> None:
    labels = np.zeros((1, 1), dtype=np.int32)
    task = label_studio_task(labels, NAMES, SCORES, file="img (1) 5%.png", prefix=prefix, model="m")
    assert task["data"] == {"image": f"{prefix}img%20%281%29%205%25.png"}


def test_names_that_xml_cannot_hold_are_written_out_in_both_files() -> None:
    names = ("a\x07b", "c\ud800", "two\nlines")
    view = ET.fromstring(label_studio_configuration(names, palette(3)))
    labels = [label.get("value") for label in view.iter("Label")]
    assert labels == [r"a\x07b", r"c\ud800", r"two\nlines"]
    task = label_studio_task(np.arange(3, dtype=np.int32)[None], names, (0.5,) * 3, file="a.png", model="m")
    assert [result["value"]["brushlabels"] for result in task["predictions"][0]["result"]] == [
        [name] for name in labels
    ]


def test_the_configuration_has_a_brush_for_every_category_that_the_tasks_refer_to() -> None:
    view = ET.fromstring(label_studio_configuration(NAMES, palette(4)))
    image, brush = view.find("Image"), view.find("BrushLabels")
    assert image is not None
    assert brush is not None
    task = label_studio_task(np.zeros((1, 1), dtype=np.int32), NAMES, SCORES, file="a.png", model="m")
    [result] = task["predictions"][0]["result"]
    assert (brush.get("name"), brush.get("toName")) == (result["from_name"], result["to_name"])
    assert image.get("name") == result["to_name"]
    assert image.get("value") == "$" + next(iter(task["data"]))
    assert [label.get("value") for label in brush] == list(NAMES)
    assert brush[0].get("background") == "#{:02x}{:02x}{:02x}".format(*palette(1)[0])
