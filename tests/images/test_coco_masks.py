import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from freeda_svc.errors import InputError
from freeda_svc.images import coco_mask


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
    for written in (counts, packed(counts)):
        assert np.array_equal(coco_mask({"size": [height, width], "counts": written}, height, width), mask)


def test_a_polygon_holds_the_pixels_whose_centres_it_holds() -> None:
    # of corners at (10, 20) to (15, 30): pixels have their edges there
    mask = coco_mask([[10, 20, 15, 20, 15, 30, 10, 30]], 40, 50)
    expected = np.zeros((40, 50), dtype=bool)
    expected[20:30, 10:15] = True
    assert np.array_equal(mask, expected)


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


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "neither a list of polygons nor an object"),
        ("=33NN02200005", "neither a list of polygons nor an object"),
        ([], "no polygon"),
        ([[1, 1, 5, 1]], "at least three corners"),
        ([[1, 1, 5, 1, 5, 5, 3]], "at least three corners"),
        ([1, 1, 5, 1, 5, 5], "at least three corners"),
        ([[1, 1, 5, "1", 5, 5]], "at least three corners"),
        ([[1, 1, 5, True, 5, 5]], "at least three corners"),
        ([{"size": [6, 8], "counts": [48]}], "at least three corners"),
        ([[1, 1, 5, float("nan"), 5, 5]], "beyond all images"),
        ([[1, 1, 5, 10**400, 5, 5]], "beyond all images"),
        ({"counts": [48]}, "are for the size None, expected [6, 8]"),
        ({"size": [8, 6], "counts": [48]}, "are for the size [8, 6], expected [6, 8]"),
        ({"size": [6, 8]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [47, "1"]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [-1, 49]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [1.5, 46.5]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [10**30]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [float("nan")]}, "expected numbers of pixels"),
        ({"size": [6, 8], "counts": [40]}, "sum up to 40 pixels, expected 6 x 8"),
        ({"size": [6, 8], "counts": [40, 9]}, "sum up to 49 pixels, expected 6 x 8"),
        ({"size": [6, 8], "counts": ""}, "sum up to 0 pixels"),
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
