import numpy as np
import pytest

from freeda_svc.errors import InputError
from freeda_svc.prototypes.exemplars import find_mentions, make_exemplar


def photo(seed: int = 0, height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def box(height: int = 60, width: int = 90, top: int = 20, left: int = 30, side: int = 16) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_an_exemplar_is_known_by_its_pixels_mask_and_caption() -> None:
    first = make_exemplar("moon", photo(), box(), "a moon")
    assert len(first.id) == 16
    assert set(first.id) <= set("0123456789abcdef")
    same = [
        make_exemplar("moon", np.asfortranarray(photo()), np.asfortranarray(box()), " a  moon"),
        make_exemplar("planet", photo(), box(), "a moon"),
    ]
    assert {one.id for one in same} == {first.id}
    darker, smaller = photo(), box()
    darker[0, 0, 0] ^= 1
    smaller[20, 30] = False
    others = [
        make_exemplar("moon", darker, box(), "a moon"),
        make_exemplar("moon", photo(), smaller, "a moon"),
        make_exemplar("moon", photo(), box(), "the moon"),
        make_exemplar("moon", photo().reshape(90, 60, 3), box().reshape(90, 60), "a moon"),
        make_exemplar("moon", photo(), box()),
    ]
    assert len({first.id, *(one.id for one in others)}) == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"noun": " \u200b "}, "an exemplar's noun is empty"),
        ({"noun": "moon" * 51}, "has 204 characters, at most 200"),
        ({"caption": "moon " * 201}, "the caption has 1004 characters, at most 1000"),
        ({"pixels": photo()[..., 0]}, r"must be \(H, W, 3\) uint8, not \(60, 90\) uint8"),
        ({"pixels": photo().astype(np.float32)}, r"must be \(H, W, 3\) uint8, not \(60, 90, 3\) float32"),
        ({"pixels": np.zeros((0, 90, 3), dtype=np.uint8)}, r"must be \(H, W, 3\) uint8"),
        ({"mask": box().astype(np.uint8)}, r"mask must be \(H, W\) bool, not \(60, 90\) uint8"),
        ({"mask": box()[..., None]}, r"mask must be \(H, W\) bool, not \(60, 90, 1\) bool"),
        ({"mask": box().T}, "the mask is 60 x 90 pixels, but its image 90 x 60; give a mask of the image's own size"),
        ({"mask": np.zeros((60, 90), dtype=bool)}, "the mask is empty"),
    ],
)
def test_what_is_no_exemplar_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_exemplar(**{"noun": "moon", "pixels": photo(), "mask": box(), **given})
    assert "\n" not in str(caught.value)


def test_mentions_are_whole_words_in_upper_or_lower_case() -> None:
    assert find_mentions("car", "Car, a cart and the car; CAR-park") == ((0, 3), (20, 23), (25, 28))
    assert find_mentions("c++ (book)", "a C++ (book) here") == ((2, 12),)
    assert find_mentions("moon", "the sun") == ()
