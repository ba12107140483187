import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import deltaE_ciede2000, rgb2lab

from freeda_svc.outputs.cielab import ciede2000, lab_of_light

COLOURS = arrays(np.uint8, (12, 3), elements=st.sampled_from([0, 1, 7, 90, 128, 200, 254, 255]))


def light_of(colours: np.ndarray) -> np.ndarray:
    encoded = colours / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@settings(max_examples=100, deadline=None)
@given(COLOURS)
def test_colours_are_those_of_scikit_image(colours: np.ndarray) -> None:
    assert np.abs(lab_of_light(light_of(colours)) - rgb2lab(colours / 255)).max() < 1e-9


@settings(max_examples=100, deadline=None)
@given(COLOURS, COLOURS)
def test_differences_are_those_of_scikit_image(some: np.ndarray, others: np.ndarray) -> None:
    one, other = rgb2lab(some / 255)[:, None], rgb2lab(others / 255)[None]
    assert np.abs(ciede2000(one, other) - deltaE_ciede2000(one, other)).max() < 1e-6


def test_differences_are_those_of_the_paper() -> None:
    """Four pairs of its test data: a grey, hues on both sides of zero, light and dark."""
    some = np.array(((50.0, 2.6772, -79.7751), (50.0, 0.0, 0.0), (50.0, 2.49, -0.001), (50.0, 2.5, 0.0)))
    others = np.array(((50.0, 0.0, -82.7485), (50.0, -1.0, 2.0), (50.0, -2.49, 0.0011), (73.0, 25.0, -18.0)))
    assert np.abs(ciede2000(some, others) - (2.0425, 2.3669, 7.2195, 27.1492)).max() < 5e-5
