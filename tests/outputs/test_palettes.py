import numpy as np
import pytest
from skimage.color import rgb2lab

from freeda_svc.errors import InputError
from freeda_svc.outputs import MOST_COLOURS, UNKNOWN_COLOUR, extend_colours, palette
from freeda_svc.outputs.differences import distinctness, perceived_tints
from freeda_svc.outputs.palettes import all_colours, choose_colours


def test_there_are_as_many_colours_as_an_indexed_png_holds_and_all_differ() -> None:
    colours = palette()
    assert colours.shape == (MOST_COLOURS, 3)
    assert colours.dtype == np.uint8
    assert len(np.unique(colours, axis=0)) == MOST_COLOURS


def test_the_first_colours_are_distinguished_by_everybody() -> None:
    for colours, least in [(10, 1.5), (24, 1.0), (50, 0.5), (255, 0.2)]:
        colours_seen = perceived_tints(palette(colours))
        apart = distinctness(colours_seen, colours_seen)
        assert apart[~np.eye(colours, dtype=bool)].min() > least


@pytest.mark.slow
def test_the_file_of_the_palette_is_what_is_chosen() -> None:
    assert np.array_equal(choose_colours(), palette())


def test_no_colour_is_nearly_black_white_or_grey() -> None:
    lab = rgb2lab(palette() / 255)
    assert lab[:, 0].min() > 20
    assert lab[:, 0].max() < 93
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 16


def test_an_index_keeps_its_colour() -> None:
    assert np.array_equal(palette(7), palette()[:7])
    before = palette()
    all_colours.cache_clear()
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
    assert distinctness(perceived_tints(np.array([UNKNOWN_COLOUR])), perceived_tints(palette(24))).min() > 1


def test_colours_of_ones_own_are_followed_by_others() -> None:
    own = np.array([[0, 0, 0], palette()[0]], dtype=np.uint8)
    colours = extend_colours(own, 256)
    assert np.array_equal(colours[:2], own)
    assert len(np.unique(colours, axis=0)) == 256
    assert np.array_equal(extend_colours(own, 2), own)
    assert np.array_equal(extend_colours(np.empty((0, 3), dtype=np.uint8), 9), palette(9))
