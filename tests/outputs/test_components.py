import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from freeda_svc.outputs.components import connected_components

SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20))


def spiral(side: int) -> np.ndarray:
    """One path of a pixel's width, whose rows meet late."""
    image = np.zeros((side, side), dtype=np.int64)
    top, left, bottom, right = 0, 0, side - 1, side - 1
    while top <= bottom and left <= right:
        image[top, left : right + 1] = image[top : bottom + 1, right] = 1
        image[bottom, left : right + 1] = 1
        image[top + 2 : bottom + 1, left] = 1
        image[top + 1, left] = 0
        image[top + 2 : top + 3, left : left + 3] = 1
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    return image


@settings(max_examples=150, deadline=None)
@given(arrays(np.int64, SHAPES, elements=st.integers(-1, 2)))
@example(spiral(41))
@example(np.arange(42).reshape(6, 7))
@example(np.indices((15, 15)).sum(axis=0) % 2)
def test_components_are_those_of_scikit_image(labels: np.ndarray) -> None:
    expected = label(labels, background=-2, connectivity=1)
    _, firsts, numbers = np.unique(expected, return_index=True, return_inverse=True)
    in_order = firsts.argsort().argsort()
    found = connected_components(labels)
    assert np.array_equal(found, in_order[numbers].reshape(labels.shape))


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_nothing_has_no_components(shape: tuple[int, int]) -> None:
    assert connected_components(np.zeros(shape, dtype=np.int64)).shape == shape
