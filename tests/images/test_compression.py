"""Masks and label maps are refused by how they were compressed, whatever their ending."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import read_labels
from freeda_svc.images import read_mask

ROWS, COLUMNS = np.mgrid[:96, :128]
DISC = (ROWS - 48) ** 2 + (COLUMNS - 60) ** 2 < 900
MASK = Image.fromarray((DISC * 255).astype(np.uint8))
PROFILE = b"x" * 9000


def lossy_webp_in_tiff(folder: Path, *, lossless: bool) -> Path:
    """Put a WebP image into a TIFF file, as programs for maps do."""
    strip = BytesIO()
    MASK.convert("RGB").save(strip, "WEBP", lossless=lossless)
    content = strip.getvalue() + b"\0" * (len(strip.getvalue()) % 2)
    content += struct.pack("<HHH", 8, 8, 8)
    bits = {258: 8 + len(content) - 6}
    numbers = {256: 128, 257: 96, **bits, 259: 50001, 262: 2, 273: 8, 277: 3, 278: 96, 279: len(strip.getvalue())}
    entries = [struct.pack("<HHII", tag, *((3, 3) if tag in bits else (4, 1)), value) for tag, value in numbers.items()]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    path = folder / "m.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(content)) + content + directory)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "options", "how"),
    [
        ("m.png", "L", {"format": "JPEG", "quality": 95}, "JPEG"),
        ("m.png", "RGB", {"format": "WEBP", "quality": 80}, "WebP"),
        ("m.webp", "RGB", {"quality": 80, "icc_profile": PROFILE}, "WebP"),
        ("m.jp2", "L", {"irreversible": True, "quality_mode": "rates", "quality_layers": [20]}, "JPEG 2000"),
        ("m.j2k", "RGB", {"irreversible": True}, "JPEG 2000"),
        ("m.tif", "L", {"compression": "jpeg", "quality": 75}, "JPEG"),
        ("m.avif", "L", {"quality": 60}, "AVIF"),
    ],
)
def test_what_was_compressed_with_losses_is_refused(
    tmp_path: Path, name: str, mode: str, options: dict[str, object], how: str
) -> None:
    path = tmp_path / name
    MASK.convert(mode).save(path, **options)
    for read, what in ((read_mask, "mask"), (read_labels, "label map")):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value) == (
            f"the {what} {path} was compressed by {how} with losses, so its pixels are not as they were drawn; "
            "save it as PNG again"
        )


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("m.webp", "RGB", {"lossless": True}),
        ("m.webp", "RGB", {"lossless": True, "icc_profile": PROFILE}),
        ("m.jp2", "L", {"irreversible": False}),
        ("m.j2k", "RGB", {}),
        ("m.tif", "L", {"compression": "tiff_lzw"}),
        ("m.tif", "1", {"compression": "group4"}),
        ("m.tif", "RGB", {"compression": "tiff_adobe_deflate"}),
        ("m.tga", "L", {}),
        ("m.ppm", "RGB", {}),
        ("m.bmp", "1", {}),
    ],
)
def test_what_was_compressed_without_losses_is_read(
    tmp_path: Path, name: str, mode: str, options: dict[str, object]
) -> None:
    path = tmp_path / name
    MASK.convert(mode).save(path, **options)
    assert np.array_equal(read_mask(path), DISC)


def test_webp_inside_of_tiff_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="by WebP with losses"):
        read_mask(lossy_webp_in_tiff(tmp_path, lossless=False))
    path = lossy_webp_in_tiff(tmp_path, lossless=True)
    try:
        mask = read_mask(path)
    except InputError as error:  # the installed libtiff may know no WebP
        assert "with losses" not in str(error)  # noqa: PT017
    else:
        assert np.array_equal(mask, DISC)
