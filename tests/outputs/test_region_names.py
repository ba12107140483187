import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.outputs.region_names import NamePlace, place_names


def boxes_of(labels: np.ndarray, places: list[NamePlace], boxes: dict[int, list[tuple[int, int]]]) -> list[np.ndarray]:
    return [
        labels[place.top : place.top + height, place.left : place.left + width]
        for place in places
        for width, height in [boxes[place.category][place.choice]]
    ]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 30))
def test_a_name_lies_wholly_in_its_region_and_on_no_other(seed: int, cells: int, side: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(-1, 5, (cells, cells)).repeat(side, axis=0).repeat(side, axis=1)
    boxes = {label: [(int(w), int(h)) for w, h in generator.integers(1, 40, (2, 2))] for label in range(5)}
    places = list(place_names(labels, boxes))
    covered = np.zeros(labels.shape, dtype=int)
    for place, content in zip(places, boxes_of(labels, places, boxes), strict=True):
        width, height = boxes[place.category][place.choice]
        assert content.shape == (height, width)
        assert (content == place.category).all()
        covered[place.top : place.top + height, place.left : place.left + width] += 1
    assert covered.max(initial=0) <= 1


def test_a_name_is_placed_in_the_middle_of_its_region() -> None:
    [place] = place_names(np.zeros((100, 200), dtype=int), {0: [(40, 10)]})
    assert abs(place.left + 20 - 100) <= 1
    assert abs(place.top + 5 - 50) <= 1


def test_the_largest_region_comes_first_and_other_large_ones_too() -> None:
    labels = np.full((100, 100), -1)
    labels[:30, :30] = 0
    labels[50:90, 50:90] = 0
    labels[:8, 90:] = 0  # large enough for the name, but not for a second one
    places = list(place_names(labels, {0: [(8, 5)]}))
    assert [(place.left > 50, place.top > 50) for place in places] == [(True, True), (False, False)]


def test_the_first_box_that_fits_is_taken() -> None:
    labels = np.full((100, 100), -1)
    labels[10:20, 10:50] = 3
    [place] = place_names(labels, {3: [(60, 15), (39, 9), (10, 4)]})
    assert place.choice == 1


@pytest.mark.parametrize("box", [(41, 5), (5, 11)])
def test_what_fits_nowhere_is_left_out(box: tuple[int, int]) -> None:
    labels = np.full((100, 100), -1)
    labels[10:20, 10:50] = 3
    assert list(place_names(labels, {3: [box]})) == []


def test_regions_that_touch_at_a_corner_are_two() -> None:
    labels = np.full((40, 40), -1)
    labels[:20, :20] = labels[20:, 20:] = 0
    places = list(place_names(labels, {0: [(10, 10)]}))
    assert len(places) == 2


@pytest.mark.slow
def test_large_pictures_are_looked_at_coarsely_and_names_still_fit() -> None:
    labels = np.full((3000, 2500), -1)
    rows, columns = np.mgrid[:3000, :2500]
    labels[(rows - 1500) ** 2 + (columns - 1200) ** 2 < 1000**2] = 1
    boxes = {1: [(700, 120)]}
    places = list(place_names(labels, boxes))
    [content] = boxes_of(labels, places, boxes)
    assert (content == 1).all()


def test_regions_of_noise_have_no_place_for_names() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (300, 300))
    assert list(place_names(labels, {label: [(6, 6)] for label in range(3)})) == []
