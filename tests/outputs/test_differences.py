import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from freeda_svc.outputs.differences import LEAST_DIFFERENCE, LEAST_DIFFERENCE_RED_GREEN, distinctness, perceived


def test_most_people_see_colours_as_they_are() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (50, 3))
    assert np.abs(perceived(colours)[0] - rgb2lab(colours / 255)).max() < 0.01


def test_greys_look_alike_to_everybody() -> None:
    greys = np.arange(0, 256, 5)[:, None].repeat(3, axis=1)
    colours_seen = perceived(greys)
    assert np.abs(colours_seen[1:] - colours_seen[0]).max() < 0.5


@pytest.mark.parametrize(
    ("sight", "red", "green"), [(1, (235, 44, 28), (1, 108, 3)), (2, (244, 50, 127), (21, 175, 115))]
)
def test_colours_that_the_colour_blind_confuse_are_near_for_them(
    sight: int, red: tuple[int, ...], green: tuple[int, ...]
) -> None:
    one, other = perceived(np.array([red])), perceived(np.array([green]))
    apart = [float(deltaE_ciede2000(one[number], other[number])[0]) for number in range(3)]
    assert apart[0] > 60
    assert apart[sight] < 3


def test_distinctness_is_the_worst_sights_share_of_its_bound() -> None:
    blue, yellow = np.array([[60, 120, 195]]), np.array([[255, 195, 0]])
    assert distinctness(perceived(blue), perceived(yellow))[0, 0] > 3
    assert distinctness(perceived(blue), perceived(blue))[0, 0] == 0
    # Sharma, Wu and Dalal's first pair of test data, at CIEDE2000 = 2.0425, as all three sights see it
    pair = np.array([[50.0, 2.6772, -79.7751]]), np.array([[50.0, 0.0, -82.7485]])
    one, other = (np.stack([lab] * 3) for lab in pair)
    expected = 2.0425 / max(LEAST_DIFFERENCE, LEAST_DIFFERENCE_RED_GREEN)
    assert distinctness(one, other)[0, 0] == pytest.approx(expected, abs=1e-4)


def test_no_colours_give_no_distances() -> None:
    none = perceived(np.empty((0, 3)))
    assert distinctness(none, perceived(np.array([[1, 2, 3]]))).shape == (0, 1)
