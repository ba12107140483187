import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from freeda_svc.annotation_tools import LabelledImage, read_label_config, read_marks
from freeda_svc.errors import InputError
from freeda_svc.outputs.label_studio import mark_regions
from tests.outputs.test_label_studio import label_studios_brush

NAMES = ("boat", "water")
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <BrushLabels name="brush" toName="image"><Label value="boat"/><Label value="water" alias="w"/></BrushLabels>
  <PolygonLabels name="polygon" toName="image"><Label value="boat"/><Label value="water"/></PolygonLabels>
  <RectangleLabels name="box" toName="image"><Label value="boat"/></RectangleLabels>
</View>"""
LABELS = arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(-1, 1))


def image() -> LabelledImage:
    [read] = read_label_config(CONFIG)
    return read


def marks(labels: np.ndarray, control: int, least_area: int = 0) -> list[dict[str, Any]]:
    scores = np.full(labels.shape, 0.5, dtype=np.float32)
    made = mark_regions(
        image().controls[control], labels, NAMES, (0.5, 0.5), key="a", pixel_scores=scores, least_area=least_area
    )
    return json.loads(json.dumps(made))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(LABELS)
def test_brush_marks_are_read_back_as_they_were_written(labels: np.ndarray) -> None:
    read = {drawn.category: drawn.mask for drawn in read_marks(marks(labels, 0), image())}
    assert set(read) == {NAMES[label] for label in np.unique(labels) if label >= 0}
    for name, mask in read.items():
        assert np.array_equal(mask, labels == NAMES.index(name))


def test_what_label_studios_own_converter_packs_is_read() -> None:
    mask = np.random.default_rng(0).random((40, 30)) < 0.5
    mask[:10] = True
    [mark] = marks(np.zeros((40, 30), dtype=np.int32), 0)
    mark["value"]["rle"] = label_studios_brush().mask2rle(mask.astype(np.uint8) * 255)
    [drawn] = read_marks([mark], image())
    assert np.array_equal(drawn.mask, mask)


def test_literal_blocks_of_a_brush_are_read() -> None:
    # two pixels: a block of eight single values in place of runs
    header = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    values = [0, 0, 0, 0, 1, 2, 3, 255]
    bits = header + f"0{0:02b}{7:03b}" + "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    [mark] = marks(np.zeros((1, 2), dtype=np.int32), 0)
    mark["value"]["rle"] = [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
    [drawn] = read_marks([mark], image())
    assert drawn.mask.tolist() == [[False, True]]


def blob() -> np.ndarray:
    """A disk with a hole, and a speck."""
    rows, columns = np.mgrid[:120, :160]
    far = np.hypot(rows - 60, columns - 70)
    labels = np.where((far < 45) & (far > 15), 0, -1).astype(np.int32)
    labels[2:5, 150:153] = 0
    return labels


def test_a_polygon_covers_its_piece_with_few_corners() -> None:
    labels = blob()
    made = marks(labels, 1, least_area=20)
    [mark] = made
    assert len(mark["value"]["points"]) < 120
    assert all(0 <= number <= 100 for corner in mark["value"]["points"] for number in corner)
    [drawn] = read_marks(made, image())
    truth = labels == 0
    truth[:10, 140:] = False
    assert np.count_nonzero(drawn.mask & truth) / np.count_nonzero(drawn.mask | truth) > 0.95
    assert not drawn.mask[60, 70]


def test_each_piece_has_a_rectangle_in_percents() -> None:
    labels = np.full((50, 100), -1, dtype=np.int32)
    labels[10:20, 30:80] = 0
    labels[40:50, 0:1] = 0
    labels[45:, 90:] = 1  # this control has no such label
    made = marks(labels, 2)
    assert [mark["value"] for mark in made] == [
        {"x": 30.0, "y": 20.0, "width": 50.0, "height": 20.0, "rotation": 0, "rectanglelabels": ["boat"]},
        {"x": 0.0, "y": 80.0, "width": 1.0, "height": 20.0, "rotation": 0, "rectanglelabels": ["boat"]},
    ]
    assert len({mark["id"] for mark in made}) == 2
    [drawn] = read_marks(made, image())
    assert np.array_equal(drawn.mask, labels == 0)


def test_a_turned_rectangle_is_turned_around_its_corner() -> None:
    [mark] = marks(np.zeros((100, 100), dtype=np.int32), 2)
    mark["value"] |= {"x": 50.0, "y": 20.0, "width": 30.0, "height": 10.0, "rotation": 90}
    [drawn] = read_marks([mark], image())
    rows, columns = np.nonzero(drawn.mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 49, 40, 49)


def test_predictions_that_were_taken_over_teach_nothing() -> None:
    made = [{**mark, "origin": "prediction"} for mark in marks(np.zeros((4, 4), dtype=np.int32), 0)]
    assert read_marks(made, image()) == []
    assert len(read_marks([{**made[0], "origin": "prediction-changed"}], image())) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"original_width": 10**9}, "is not taken"),
        ({"original_width": 5}, "not of an image of 5 x 4 pixels"),
        ({"image_rotation": 90}, "turned image"),
        ({"value": {}}, "cannot be read"),
        ({"value": {"brushlabels": ["boat"], "rle": [0, 0, 0]}}, "ends early"),
        ({"value": {"brushlabels": ["boat"], "rle": [-1, 300]}}, "bytes"),
        ({"value": {"brushlabels": ["boat"], "rle": None}}, "cannot be read"),
    ],
)
def test_a_mark_that_cannot_be_read_is_named(changes: dict[str, Any], reason: str) -> None:
    [mark] = marks(np.zeros((4, 4), dtype=np.int32), 0)
    with pytest.raises(InputError, match=f"mark 1 .*{reason}"):
        read_marks([{**mark, **changes}], image())
