import json

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from freeda_svc.images import coco_mask
from freeda_svc.outputs.polygons import feature_collection, trace_polygons

LABELS = arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-1, 2))
NAMES = ("ball", "sky", "boat")


def fill(coordinates: list[list[list[list[int]]]], shape: tuple[int, int]) -> np.ndarray:
    """Fill a MultiPolygon as pycocotools does."""
    mask = np.zeros(shape, dtype=bool)
    for outline, *holes in coordinates:
        rings = [coco_mask([np.ravel(ring).tolist()], *shape) for ring in (outline, *holes)]
        mask |= rings[0] & ~np.any(rings[1:], axis=0) if holes else rings[0]
    return mask


@settings(derandomize=True, deadline=None, max_examples=150)
@given(LABELS)
def test_filling_them_gives_the_label_map_back(labels: np.ndarray) -> None:
    collection = json.loads(json.dumps(feature_collection(labels, NAMES, [0.5] * 3, "a.png")))
    filled = np.full(labels.shape, -1)
    for feature in collection["features"]:
        mask = fill(feature["geometry"]["coordinates"], labels.shape)
        assert (filled[mask] == -1).all()
        filled[mask] = feature["properties"]["index"]
        assert feature["properties"]["area_pixels"] == mask.sum()
    assert np.array_equal(filled, labels)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_they_are_valid_and_their_areas_count_pixels(labels: np.ndarray) -> None:
    traced = trace_polygons(labels)
    for label, pieces in traced.items():
        assert all(piece.is_valid for piece in pieces)
        assert sum(piece.area for piece in pieces) == (labels == label).sum()
    assert list(traced) == sorted(set(np.unique(labels).tolist()) - {-1})


def test_a_hole_stays_a_hole_and_what_lies_in_it_a_piece() -> None:
    labels = np.zeros((7, 7), dtype=np.int32)
    labels[1:6, 1:6] = 1
    labels[3, 3] = 0
    traced = trace_polygons(labels)
    [ring] = traced[1]
    assert (ring.area, len(ring.interiors)) == (24, 1)
    outer, inner = sorted(traced[0], key=lambda piece: -piece.area)
    assert (outer.area, len(outer.interiors), inner.area) == (24, 1, 1)
    assert inner.equals(shapely.box(3, 3, 4, 4))


def test_pieces_that_touch_at_a_corner_are_two() -> None:
    traced = trace_polygons(np.array([[0, 1], [1, 0]], dtype=np.int32))
    assert [len(pieces) for pieces in traced.values()] == [2, 2]


def test_outlines_turn_one_way_and_holes_the_other() -> None:
    labels = np.zeros((5, 5), dtype=np.int32)
    labels[2, 2] = 1
    [feature, _] = feature_collection(labels, NAMES, [0.5, 0.6, None], "a.png")["features"]
    [[outline, hole]] = feature["geometry"]["coordinates"]
    assert shapely.LinearRing(outline).is_ccw
    assert not shapely.LinearRing(hole).is_ccw
    assert outline[0] == outline[-1]
    assert feature["properties"] == {
        "category": "ball", "index": 0, "score": 0.5, "area_pixels": 24, "area_share": 0.96
    }  # fmt: skip


def test_coordinates_are_said_to_be_pixels_and_not_degrees() -> None:
    collection = feature_collection(np.zeros((300, 400), dtype=np.int32), NAMES, [0.5, None, None], "a.png")
    text = collection["crs"]["properties"]["name"]
    assert text.startswith("ENGCRS[")
    assert text.count("[") == text.count("]")
    assert text.index('"x",east') < text.index('"y",south')
    assert 'LENGTHUNIT["pixel",1]' in text


def test_unknown_pixels_belong_to_no_feature() -> None:
    collection = feature_collection(np.full((3, 4), -1, dtype=np.int32), NAMES, [None] * 3, "a.png")
    assert collection["features"] == []
    assert collection["image"] == {"file_name": "a.png", "height": 3, "width": 4}


def test_straight_borders_have_no_corners_on_the_way() -> None:
    [piece] = trace_polygons(np.zeros((30, 40), dtype=np.int32))[0]
    assert sorted(map(tuple, shapely.get_coordinates(piece.exterior)[1:].tolist())) == [
        (0, 0), (0, 30), (40, 0), (40, 30)
    ]  # fmt: skip
