from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import read_image
from freeda_svc.images.orientation import read_frame

ORIENTATION = 0x0112


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_size_is_that_of_the_image_as_it_is_read(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8)).save(path, exif=exif)
    assert read_frame(path).size == read_image(path).shape[:2] == ((30, 20) if orientation > 4 else (20, 30))


def test_a_size_is_reported_although_the_pixels_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    assert read_frame(path).size == (20, 30)
    with pytest.raises(InputError, match="cut off or damaged"):
        read_image(path)


def test_the_size_of_what_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_text("none")
    for place, message in [(path, "is not an image"), (tmp_path, "is a folder"), (tmp_path / "x", "no such image")]:
        with pytest.raises(InputError, match=message):
            read_frame(place)
