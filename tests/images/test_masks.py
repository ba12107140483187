from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import read_mask

ORIENTATION = 0x0112
SHAPE = np.zeros((20, 30), dtype=bool)
SHAPE[3:9, 5:17] = True


def saved(folder: Path, image: Image.Image, suffix: str = ".png", **options: object) -> Path:
    path = folder / f"mask{suffix}"
    image.save(path, **options)
    return path


def indexed(values: np.ndarray) -> Image.Image:
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette([255, 255, 255, 0, 0, 0, 128, 0, 0])  # index 0 shows white: it is no object for all that
    return image


def transparent(colour: int) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((20, 30, 3), colour, dtype=np.uint8), SHAPE * np.uint8(255)]))


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(SHAPE),
        Image.fromarray(SHAPE * np.uint8(1)),
        Image.fromarray(SHAPE * np.uint8(255)),
        Image.fromarray(SHAPE * np.uint16(256)),
        Image.fromarray(SHAPE * np.int32(70_000)),
        indexed(SHAPE * 1),
        indexed(SHAPE * 2),
        Image.fromarray(np.dstack([SHAPE * np.uint8(0), SHAPE * np.uint8(0), SHAPE * np.uint8(3)])),
        Image.fromarray(np.dstack([SHAPE * np.uint8(9)] * 3 + [np.full((20, 30), 255, dtype=np.uint8)])),
        transparent(0),
        transparent(200),
        Image.fromarray(np.dstack([np.full((20, 30), 7, dtype=np.uint8), SHAPE * np.uint8(4)])),
    ],
    ids=[
        "bits",
        "0-1",
        "0-255",
        "16",
        "32",
        "index-1",
        "index-2",
        "blue",
        "opaque",
        "black cut-out",
        "cut-out",
        "grey",
    ],
)
def test_what_is_not_zero_is_the_object(tmp_path: Path, image: Image.Image) -> None:
    suffix = ".tif" if image.mode == "I" else ".png"
    mask = read_mask(saved(tmp_path, image, suffix))
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, SHAPE)


def test_floating_point_masks_are_read_and_what_is_not_a_number_is_no_object(tmp_path: Path) -> None:
    values = SHAPE.astype(np.float32) / 2
    values[0, 0] = np.nan
    assert np.array_equal(read_mask(saved(tmp_path, Image.fromarray(values), ".tif")), SHAPE)


def test_other_colour_spaces_have_their_black_for_zero(tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([SHAPE * np.uint8(255)] * 3)).convert("YCbCr")
    assert np.array_equal(read_mask(saved(tmp_path, image, ".tif")), SHAPE)


def test_a_cut_out_photograph_is_its_outline(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(read_mask(saved(tmp_path, Image.fromarray(np.dstack([photo, SHAPE * np.uint8(255)])))), SHAPE)


def test_the_orientation_in_the_file_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = saved(tmp_path, Image.fromarray(SHAPE * np.uint8(1)), exif=exif)
    assert np.array_equal(read_mask(path), np.rot90(SHAPE, k=-1))


def test_an_empty_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mask\.png is empty; give the object's pixels a value that is not zero"):
        read_mask(saved(tmp_path, Image.fromarray(SHAPE * np.uint8(0))))


def test_a_mask_that_was_saved_with_losses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mask\.jpg was compressed by JPEG with losses.*save it as PNG"):
        read_mask(saved(tmp_path, Image.fromarray(SHAPE * np.uint8(255)), ".jpg"))


def test_a_photograph_is_no_mask(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with pytest.raises(InputError, match=r"more than 256 colours.*are image and mask swapped"):
        read_mask(saved(tmp_path, Image.fromarray(photo)))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for path, message in [
        (tmp_path / "none.png", "no such image file"),
        (tmp_path, "is a folder"),
        (tmp_path / "text.png", "is not an image"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            read_mask(path)
        assert str(path) in str(caught.value)
