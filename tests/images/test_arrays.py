"""What callers of the library pass as images and masks: what is taken, and the one sentence for what is not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import each_image, load_image, load_mask

PHOTO = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
MASK = PHOTO[..., 0] > 128


class Foreign:
    """An array of another library, as NumPy understands it."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self._values


@pytest.mark.parametrize(
    "source",
    [
        PHOTO,
        PHOTO[::-1].copy()[::-1],
        Image.fromarray(PHOTO),
        torch.from_numpy(PHOTO),
        torch.from_numpy(np.moveaxis(PHOTO, -1, 0).copy()).permute(1, 2, 0),
        Foreign(PHOTO),
        (PHOTO.astype(np.uint16) * 257).astype(">u2"),
    ],
)
def test_an_image_is_the_same_in_whatever_it_is_passed(source: object) -> None:
    assert np.array_equal(load_image(source), PHOTO)


EXPECTED = "expected an image: the path of an image file, a PIL image, or an (H, W, 3) uint8 array or tensor, not"
ARRAY = "an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or uint16, not"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, f"{EXPECTED} None"),
        ([PHOTO, PHOTO], f"{EXPECTED} a list of length 2"),
        ({}, f"{EXPECTED} a dict of length 0"),
        (b"\x89PNG", f"{EXPECTED} bytes; PIL.Image.open(io.BytesIO(data)) reads an encoded image"),
        (3, f"{EXPECTED} int"),
        (np.float64(3), f"{EXPECTED} float64"),
        (np.zeros((5, 7, 3)), f"{ARRAY} float64 (5, 7, 3); convert values from 0 to 1 with (image * 255).round()"),
        (torch.zeros(5, 7, 3), f"{ARRAY} float32 (5, 7, 3); convert values from 0 to 1"),
        (torch.zeros(5, 7, 3, dtype=torch.bfloat16, requires_grad=True), f"{ARRAY} float32 (5, 7, 3)"),
        (PHOTO.astype(np.int64), f"{ARRAY} int64 (5, 7, 3); convert values from 0 to 255 with image.astype('uint8')"),
        (np.moveaxis(PHOTO, -1, 0), f"{ARRAY} uint8 (3, 5, 7); its channels come first: use numpy.moveaxis"),
        (torch.zeros(3, 5, 7), f"{ARRAY} float32 (3, 5, 7); its channels come first"),
        (PHOTO[None], f"{ARRAY} uint8 (1, 5, 7, 3); it is a batch: pass one of its images"),
        (MASK, f"{ARRAY} bool (5, 7)"),
        (np.array([["a", "b"]]), f"{ARRAY} <U1 (1, 2)"),
        (PHOTO[:0], f"{ARRAY} uint8 (0, 7, 3)"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(source: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_image(source)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_pillow_image_that_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PHOTO).save(path)
    path.write_bytes(path.read_bytes()[:80])
    with Image.open(path) as cut_off, pytest.raises(InputError, match="the PIL image is closed, cut off or damaged"):
        load_image(cut_off)
    with pytest.raises(InputError, match="the PIL image is closed, cut off or damaged"):
        load_image(cut_off)  # closed by now


@pytest.mark.parametrize(
    "source",
    [
        MASK,
        MASK[..., None],
        MASK.astype(np.uint8) * 255,
        MASK.astype(np.int64) * -3,
        MASK.astype(float),
        torch.from_numpy(MASK),
        Image.fromarray(MASK),
        Image.fromarray(MASK.astype(np.uint8)),
    ],
)
def test_a_mask_is_the_same_in_whatever_it_is_passed(source: object) -> None:
    mask = load_mask(source)
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, MASK)


def test_a_mask_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(MASK).save(path)
    assert np.array_equal(load_mask(path), MASK)
    assert np.array_equal(load_mask(str(path)), MASK)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "expected a mask: the path of a mask file, a PIL image, or an (H, W) bool array or tensor, not None"),
        (PHOTO, "a mask array must be (H, W), bool or integers, not uint8 (5, 7, 3)"),
        (np.full((5, 7), 0.5), "a mask of floats must hold 0 and 1 only; apply a threshold first, such as mask > 0.5"),
        (np.full((5, 7), np.nan), "a mask of floats must hold 0 and 1 only"),
        (np.zeros((5, 7), bool), "the mask is empty"),
        (Image.fromarray(np.zeros((5, 7), np.uint8)), "the mask is empty"),
        (Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)), "the mask has more than"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_sentence(source: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_mask(source)
    assert str(caught.value).startswith(message)


def test_several_images_are_a_list_a_generator_or_a_batch() -> None:
    for images in ([PHOTO, PHOTO], iter([PHOTO, PHOTO]), np.stack([PHOTO, PHOTO]), torch.from_numpy(PHOTO)[None]):
        assert all(np.array_equal(image, PHOTO) for image in each_image(images))


@pytest.mark.parametrize(
    ("images", "shown"),
    [
        (PHOTO, "ndarray (5, 7, 3)"),
        (torch.from_numpy(PHOTO), "Tensor (5, 7, 3)"),
        (Image.fromarray(PHOTO), "Image"),
        ("a.png", "the path 'a.png'"),
        (Path("a.png"), "the path 'a.png'"),
        (None, "None"),
        (b"a", "bytes"),
    ],
)
def test_one_image_where_several_are_expected_is_refused(images: object, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        each_image(images)
    assert str(caught.value).startswith(f"expected several images, such as a list of them, not {shown}")
