import numpy as np
import pytest
from skimage.color import rgb2lab

from freeda_svc.errors import InputError
from freeda_svc.outputs import MOST_COLOURS, UNKNOWN_COLOUR, extend_colours, palette
from freeda_svc.outputs.palettes import _all_colours


def distances(colours: np.ndarray) -> np.ndarray:
    lab = rgb2lab(colours / 255)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return apart[~np.eye(len(colours), dtype=bool)]


def test_there_are_as_many_colours_as_an_indexed_png_holds_and_all_differ() -> None:
    colours = palette()
    assert colours.shape == (MOST_COLOURS, 3)
    assert colours.dtype == np.uint8
    assert len(np.unique(colours, axis=0)) == MOST_COLOURS


def test_the_first_colours_are_far_apart() -> None:
    assert distances(palette(10)).min() > 40  # a just noticeable difference is about 2
    assert distances(palette(30)).min() > 20
    assert distances(palette()).min() > 5


def test_no_colour_is_nearly_black_white_or_grey() -> None:
    lab = rgb2lab(palette() / 255)
    assert lab[:, 0].min() > 30
    assert lab[:, 0].max() < 90
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 20


def test_an_index_keeps_its_colour() -> None:
    assert np.array_equal(palette(7), palette()[:7])
    before = palette()
    _all_colours.cache_clear()
    assert np.array_equal(palette(), before)


def test_changing_a_palette_changes_no_other() -> None:
    palette(3)[:] = 0
    assert palette(3).any()


@pytest.mark.parametrize("colours", [0, -1])
def test_no_colours_are_refused(colours: int) -> None:
    with pytest.raises(InputError, match=f"at least one colour, not {colours}"):
        palette(colours)


def test_there_is_a_colour_for_any_number_of_categories() -> None:
    assert np.array_equal(palette(600)[255:510], palette())


def test_the_colour_of_what_is_unknown_is_no_categorys() -> None:
    assert tuple(UNKNOWN_COLOUR) not in set(map(tuple, palette().tolist()))


def test_colours_of_ones_own_are_followed_by_others() -> None:
    own = np.array([[0, 0, 0], palette()[0]], dtype=np.uint8)
    colours = extend_colours(own, 256)
    assert np.array_equal(colours[:2], own)
    assert len(np.unique(colours, axis=0)) == 256
    assert np.array_equal(extend_colours(own, 2), own)
    assert np.array_equal(extend_colours(np.empty((0, 3), dtype=np.uint8), 9), palette(9))
