import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as reference

from freeda_svc.errors import InputError
from freeda_svc.images import coco_mask
from freeda_svc.images.coco_masks import stray_polygons, whole_number


def runs_of(mask: np.ndarray) -> list[int]:
    """Lengths of runs down the columns, outside first, counted pixel by pixel."""
    counts, inside = [0], False
    for pixel in mask.T.ravel():
        if pixel != inside:
            counts.append(0)
            inside = pixel
        counts[-1] += 1
    return counts


def packed(counts: list[int]) -> str:
    """The text form of run lengths: five bits a character, the least first, differences from the fourth on."""
    text = ""
    for number, count in enumerate(counts):
        value = count - counts[number - 2] if number > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            done = value == (-1 if bits & 16 else 0)
            text += chr(48 + bits + (0 if done else 32))
            if done:
                break
    return text


RING = np.zeros((6, 8), dtype=bool)
RING[1:4, 2:7] = True
RING[2, 3] = False


def test_run_lengths_as_cocos_own_tools_pack_them() -> None:
    assert np.array_equal(coco_mask({"size": [6, 8], "counts": "=33NN02200005"}, 6, 8), RING)
    corner = coco_mask({"size": [3000, 4000], "counts": "e^Y];2fm200000000000000000K"}, 3000, 4000)
    expected = np.zeros((3000, 4000), dtype=bool)
    expected[5:7, 3990:] = True
    assert np.array_equal(corner, expected)


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
@settings(derandomize=True, deadline=None)
def test_run_lengths_give_their_mask_back_as_numbers_and_packed(mask: np.ndarray) -> None:
    height, width = mask.shape
    counts = runs_of(mask)
    text = packed(counts)
    for written in (counts, text, repr(text.encode())):  # the last one as Python shows bytes
        assert np.array_equal(coco_mask({"size": [height, width], "counts": written}, height, width), mask)


def test_a_polygon_holds_the_pixels_whose_centres_it_holds() -> None:
    # of corners at (10, 20) to (15, 30): pixels have their edges there
    mask = coco_mask([[10, 20, 15, 20, 15, 30, 10, 30]], 40, 50)
    expected = np.zeros((40, 50), dtype=bool)
    expected[20:30, 10:15] = True
    assert np.array_equal(mask, expected)


def test_a_polygon_between_pixels_has_the_area_that_coco_gives_it() -> None:
    mask = coco_mask([[2.5, 1.5, 6.5, 1.5, 6.5, 4.5, 2.5, 4.5]], 6, 8)
    assert mask.sum() == 12  # its area
    assert mask[2:5, 3:7].all()


@given(
    st.lists(
        st.lists(st.tuples(st.floats(-30, 60), st.floats(-30, 60)), min_size=3, max_size=9), min_size=1, max_size=3
    )
)
@settings(derandomize=True, deadline=None, max_examples=200)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_polygons_are_drawn_as_by_pycocotools(polygons: list[list[tuple[float, float]]]) -> None:
    flat = [[number for corner in polygon for number in corner] for polygon in polygons]
    expected = reference.decode(reference.merge(reference.frPyObjects(flat, 20, 30)))
    assert np.array_equal(coco_mask(flat, 20, 30), expected)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=9))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_a_huge_polygon_is_clipped_where_it_leaves_the_image(corners: list[tuple[int, int]]) -> None:
    height, width = 20, 30
    huge = np.array(corners) * 1e7
    mask = coco_mask([huge.ravel().tolist()], height, width)
    rows, columns = np.mgrid[:height, :width] + 0.5
    inside = np.zeros((height, width), dtype=bool)  # by the even-odd rule, of the pixels' centres
    distance = np.full((height, width), np.inf)  # from the edges, where roundings may differ
    for (x, y), (next_x, next_y) in zip(huge, np.roll(huge, -1, axis=0), strict=True):
        right, down = next_x - x, next_y - y
        if down:
            inside ^= ((y <= rows) != (next_y <= rows)) & (columns < x + (rows - y) * right / down)
        if right or down:
            off = (columns - x) * down - (rows - y) * right
            distance = np.minimum(distance, np.abs(off) / np.hypot(right, down))
    clear = distance > 1
    assert np.array_equal(mask[clear], inside[clear])


def test_a_slanted_polygon_is_as_cocos_own_tools_draw_it() -> None:
    expected = np.zeros((6, 8), dtype=bool)
    expected[1:5, 2:6] = True
    expected[3:5, 6] = True
    assert np.array_equal(coco_mask([[1.5, 1, 6, 1.25, 7, 5, 2, 4.5]], 6, 8), expected)


def test_polygons_are_merged_and_cut_off_at_the_border() -> None:
    mask = coco_mask([[-9, -9, 2, -9, 2, 2, -9, 2], [6, 4, 1e9, 4, 1e9, 1e9, 6, 1e9]], 6, 8)
    expected = np.zeros((6, 8), dtype=bool)
    expected[:2, :2] = True
    expected[4:, 6:] = True
    assert np.array_equal(mask, expected)


def test_a_sliver_has_no_pixel() -> None:
    assert not coco_mask([[1, 1, 5, 1, 5, 1.1]], 6, 8).any()


SQUARE = [2, 1, 6, 1, 6, 4, 2, 4]


@pytest.mark.parametrize(
    "segmentation",
    [
        SQUARE,  # a polygon by itself
        [[2, 1], [6, 1], [6, 4], [2, 4]],  # corners by themselves
        [[[2, 1], [6, 1], [6, 4], [2, 4]]],
        [SQUARE, [3.0, 2.0]],  # a stray point
        [[1, 1, 5, 5], SQUARE, []],
        {"size": ["6", 8.0], "counts": [13, 3, 3, 3, 3, 3, 3, 3, 14]},
    ],
)
def test_what_programs_write_otherwise_is_read(segmentation: object) -> None:
    expected = np.zeros((6, 8), dtype=bool)
    expected[1:4, 2:6] = True
    assert np.array_equal(coco_mask(segmentation, 6, 8), expected)


def test_polygons_that_are_passed_over_are_counted() -> None:
    assert stray_polygons([SQUARE, [3.0, 2.0], [1, 1, 5, 5]]) == 2
    assert [stray_polygons(value) for value in (SQUARE, [SQUARE], [[1, 1], [2, 2], [3, 0]], None, {})] == [0] * 5


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((written, 3) for written in (3, 3.0, "3", "3.0")),
        *((other, None) for other in (3.5, "a", True, None, "", float("nan"), "inf", "9" * 30)),
        (10**30, 10**30),
    ],
)
def test_whole_numbers_are_read_however_they_are_written(value: object, number: int | None) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "neither a list of polygons nor an object"),
        ("=33NN02200005", "neither a list of polygons nor an object"),
        ([], "no polygon"),
        ([[1, 1, 5, 1]], "at least three corners"),
        ([[1, 1, 5, 1, 5, 5, 3]], "at least three corners"),
        ([1, 1, 5, 1], "at least three corners"),
        ([[1, 1], [5, 1]], "at least three corners"),
        ([[1, 1, 5, 1, 5, 5], [5, 1, 3]], "at least three corners"),
        ([[1, 1, 5, 1, 5, 5], [5, None]], "at least three corners"),
        ([[1, 1, 5, "1", 5, 5]], "at least three corners"),
        ([[1, 1, 5, True, 5, 5]], "at least three corners"),
        ([{"size": [6, 8], "counts": [48]}], "at least three corners"),
        ([[1, 1, 5, float("nan"), 5, 5]], "beyond all images"),
        ([[1, 1, 5, 10**400, 5, 5]], "beyond all images"),
        ([[0, 0, 16, 0] * 130_000], "the outline of its segmentation is longer than 4,000,000 pixels"),
        ({"counts": [48]}, "are for the size None, expected [6, 8]"),
        ({"size": [8, 6], "counts": [48]}, "are for the size [8, 6], expected [6, 8]"),
        ({"size": [6, 8]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [47, "1"]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [-1, 49]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [1.5, 46.5]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [10**30]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [float("nan")]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [40]}, "sum up to 40, expected 6 x 8 pixels"),
        ({"size": [6, 8], "counts": [40, 9]}, "sum up to 49, expected 6 x 8 pixels"),
        ({"size": [6, 8], "counts": ""}, "sum up to 0, expected"),
        ({"size": [6, 8], "counts": "=33NN0220000U"}, "are cut off"),
        ({"size": [6, 8], "counts": "=33NN02200\n05"}, "no packed number"),
        ({"size": [6, 8], "counts": "é"}, "no packed number"),
        ({"size": [6, 8], "counts": "o" * 9 + "0"}, "no packed number"),
        ({"size": [6, 8], "counts": "N"}, "expected numbers of pixels"),
    ],
)
def test_what_is_broken_is_refused(segmentation: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        coco_mask(segmentation, 6, 8)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_too_large_for_cocos_masks_is_refused() -> None:
    with pytest.raises(InputError, match="COCO's masks at most 536,870,911"):
        coco_mask({"size": [1 << 15, 1 << 14], "counts": [1 << 29]}, 1 << 15, 1 << 14)
