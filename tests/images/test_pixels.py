import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import load_image, read_image

ORIENTATION = 0x0112


def ramp(height: int = 40, width: int = 60) -> np.ndarray:
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = np.linspace(0, 255, width)
    image[..., 1] = np.linspace(0, 255, height)[:, None]
    image[..., 2] = 77
    return image


def saved(folder: Path, image: Image.Image, suffix: str = ".png", **options: object) -> Path:
    path = folder / f"picture{suffix}"
    image.save(path, **options)
    return path


def test_an_rgb_file_is_read_as_it_is(tmp_path: Path) -> None:
    pixels = read_image(saved(tmp_path, Image.fromarray(ramp())))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, ramp())


def test_the_orientation_in_the_file_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was turned: rotate by a quarter clockwise
    path = saved(tmp_path, Image.fromarray(ramp()), exif=exif)
    assert np.array_equal(read_image(path), np.rot90(ramp(), k=-1))


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = ramp()[..., 0]
    assert np.array_equal(read_image(saved(tmp_path, Image.fromarray(grey))), np.stack([grey] * 3, axis=-1))


def test_black_and_white_files_are_read(tmp_path: Path) -> None:
    bits = Image.fromarray(ramp()[..., 0] > 100)
    pixels = read_image(saved(tmp_path, bits))
    assert np.array_equal(pixels[..., 0], np.where(ramp()[..., 0] > 100, 255, 0))


def test_transparency_shows_white(tmp_path: Path) -> None:
    alpha = np.full((40, 60, 1), 255, dtype=np.uint8)
    alpha[:10] = 0
    pixels = read_image(saved(tmp_path, Image.fromarray(np.concatenate([ramp(), alpha], axis=2))))
    assert (pixels[:10] == 255).all()
    assert np.array_equal(pixels[10:], ramp()[10:])


def test_palette_files_are_read_with_their_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], dtype=np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    pixels = read_image(saved(tmp_path, image, transparency=1))
    assert pixels.tolist() == [[[10, 20, 30], [255, 255, 255]], [[255, 255, 255], [10, 20, 30]]]


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    pixels = read_image(saved(tmp_path, Image.fromarray(deep)))
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255]
    assert pixels.shape == (1, 4, 3)


def test_cmyk_files_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("CMYK", (8, 6), (0, 255, 255, 0)), ".tif")
    assert read_image(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_an_animation_is_refused(tmp_path: Path, suffix: str) -> None:
    first, second = Image.new("L", (4, 4), 10), Image.new("L", (4, 4), 200)
    path = saved(tmp_path, first, suffix, save_all=True, append_images=[second])
    with pytest.raises(InputError, match=r"picture\.\w+ is an animation of 2 pictures; save the one you mean"):
        read_image(path)


def test_a_gif_of_one_picture_is_read(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path, Image.new("L", (4, 4), 10), ".gif"))[0, 0, 0] == 10


def test_of_several_pages_the_first_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("L", (4, 4), 10), Image.new("L", (4, 4), 200)
    path = saved(tmp_path, first, ".tif", save_all=True, append_images=[second])
    assert read_image(path)[0, 0, 0] == 10


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"pipe.png is no regular file; name an image file"):
        read_image(tmp_path / "pipe.png")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image file"):
        read_image(tmp_path / "nowhere.png")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"a,b,c\n1,2,3\n", b"II*\0"[:3]])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not an image in a known format"):
        read_image(path)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.touch()
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path} is empty, a file of no bytes; get a whole copy of the image"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".gif", ".bmp"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=r"is cut off or damaged|not an image") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(ramp()))
    content = bytearray(path.read_bytes())
    start = content.index(b"IDAT") + 4
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="is cut off or damaged"):
        read_image(path)


@pytest.mark.parametrize("side", [60_000, 15_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
    with pytest.raises(InputError, match="more than 100,000,000 pixels; scale it down first, or change the setting"):
        read_image(path)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.array([[0.5, 1.5]], dtype=np.float32), "floating point pixels"),
        (np.array([[0, 1_000_000]], dtype=np.int32), "32-bit pixels"),
    ],
)
def test_pixel_formats_without_a_known_range_are_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    path = saved(tmp_path, Image.fromarray(pixels), ".tif")
    with pytest.raises(InputError, match=f"picture.tif: .*{message}"):
        read_image(path)


def test_arrays_and_pictures_are_taken_too() -> None:
    assert np.array_equal(load_image(ramp()), ramp())
    assert np.array_equal(load_image(Image.fromarray(ramp())), ramp())
    grey = ramp()[..., 0]
    assert np.array_equal(load_image(grey), load_image(grey[..., None]))
    assert np.array_equal(load_image(ramp()[::-1, ::-1]), ramp()[::-1, ::-1])
    transparent = np.dstack([ramp(), np.zeros((40, 60), dtype=np.uint8)])
    assert (load_image(transparent) == 255).all()
    assert np.array_equal(load_image(ramp().astype(np.uint16) * 257), ramp())


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((4, 4, 3), dtype=bool),
        np.zeros((4, 4, 2), dtype=np.uint8),
        np.zeros((2, 4, 4, 3), dtype=np.uint8),
        np.zeros((4,), dtype=np.uint8),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="an image array must be"):
        load_image(pixels)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="no pixels"):
        load_image(Image.new("RGB", (0, 4)))


def test_a_file_is_not_kept_open(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.fromarray(ramp()).save(buffer, "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(buffer.getvalue())
    assert np.array_equal(load_image(path), ramp())  # an open file would be a ResourceWarning, which is an error here


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((3, 5, 3), 7, dtype=np.uint8)).save(path)
    assert np.array_equal(load_image(str(path)), read_image(path))
