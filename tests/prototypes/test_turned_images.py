from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from freeda_svc.errors import InputError
from freeda_svc.prototypes.annotated_images import read_annotated_images
from tests.prototypes.test_annotated_images import HEIGHT, WIDTH, content, folder, square, written

__all__ = ["folder"]  # a fixture

ORIENTATION = 0x0112


def _turned(folder: Path, orientation: int) -> np.ndarray:
    """Give b.png an orientation; return how its stored pixels look when they are seen."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    with Image.open(folder / "b.png") as image:
        image.save(folder / "b.png", exif=exif)
    with Image.open(folder / "b.png") as image:
        return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_nobody_guesses_on_what_was_drawn_where_the_file_does_not_tell(folder: Path, orientation: int) -> None:
    value = content()
    _turned(folder, orientation)
    for size in ({"height": HEIGHT, "width": WIDTH}, {"height": None, "width": None}):
        value["images"][0].update(size)
        with pytest.raises(InputError, match=rf"b\.png has the EXIF orientation {orientation}, .* say it with --drawn"):
            list(read_annotated_images(written(folder, value), folder))
    del value["annotations"][1]  # nothing is asked of the image
    assert len(list(read_annotated_images(written(folder, value), folder))) == 1


@pytest.mark.parametrize("orientation", range(2, 9))
def test_what_was_drawn_on_stored_pixels_is_turned_with_them(folder: Path, orientation: int) -> None:
    value = content()
    stored = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    stored[2:7, 20:25] = 255
    value["annotations"][1]["segmentation"] = square(20, 2)
    Image.fromarray(stored).save(folder / "b.png")
    seen = _turned(folder, orientation) > 0
    first, _ = read_annotated_images(written(folder, value), folder, drawn_on="stored")
    assert np.array_equal(first.mask, seen)
    assert first.exemplar().mask.shape == seen.shape


@pytest.mark.parametrize("orientation", range(2, 9))
def test_what_was_drawn_on_the_upright_picture_stays_as_it_is(folder: Path, orientation: int) -> None:
    value = content()
    height, width = _turned(folder, orientation).shape[:2]
    value["images"][0].update(height=height, width=width)
    expected = np.zeros((height, width), dtype=bool)
    expected[:5, :5] = True
    first, _ = read_annotated_images(written(folder, value), folder, drawn_on="upright")
    assert np.array_equal(first.mask, expected)
    if orientation >= 5:  # only the upright picture has the size that the file says
        first, _ = read_annotated_images(written(folder, value), folder)
        assert np.array_equal(first.mask, expected)


def test_marks_are_of_the_size_of_what_they_were_drawn_on(folder: Path) -> None:
    value = content()
    _turned(folder, 6)
    with pytest.raises(InputError, match=r"b\.png is 20 x 30 pixels, but was annotated at 30 x 20"):
        list(read_annotated_images(written(folder, value), folder, drawn_on="upright"))
    value["images"][0].update(height=HEIGHT + 1)
    for drawn_on in (None, "stored"):
        with pytest.raises(InputError, match=r"b\.png is .* but was annotated at 30 x 21; give the images that"):
            list(read_annotated_images(written(folder, value), folder, drawn_on=drawn_on))
