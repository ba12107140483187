"""Which formats are opened, and what is said of the others."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from freeda_svc.errors import InputError
from freeda_svc.images import image_endings, read_image
from freeda_svc.images.files import check_image_file
from freeda_svc.images.formats import heif_is_read, read_formats

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_every_ending_that_is_taken_from_a_folder_is_of_a_format_that_is_read() -> None:
    known = Image.registered_extensions()
    assert {known[ending] for ending in image_endings()} <= {*read_formats(), "HEIF"}


def test_no_reader_that_starts_a_program_is_on_the_list() -> None:
    assert not {"EPS", "WMF", "PDF"} & set(read_formats())


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
        (b"\xc5\xd0\xd3\xc6" + bytes(28), "EPS"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
        (b"\xd7\xcd\xc6\x9a\0\0" + bytes(40), "WMF"),
        (b"GRIB\0\0\0\1" + bytes(40), "GRIB"),
        (b"BUFR\0\0\0\4" + bytes(40), "BUFR"),
        (b"DDS " + bytes(140), "DDS"),
        (b"8BPS\0\1" + bytes(40), "PSD"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG or XML"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x18ftypqt  " + bytes(40), "video"),
        (b"\0\0\0\x18ftypcrx " + bytes(40), "CR3"),
    ],
)
def test_a_format_that_is_not_read_is_named_and_not_called_damaged(tmp_path: Path, beginning: bytes, name: str) -> None:
    path = tmp_path / "picture.png"  # whatever the ending
    path.write_bytes(beginning)
    for check in (read_image, check_image_file):
        with pytest.raises(InputError) as caught:
            check(path)
        assert str(caught.value) == f"{path} is a {name} file, a format that is not read here; save it as JPEG or PNG"


def test_a_file_that_begins_like_an_image_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_bytes(b"RIFF\x40\0\0\0WEBPVP8 and then something else")
    with pytest.raises(InputError, match=r"a\.webp is cut off or damaged \("):
        read_image(path)


@pytest.mark.parametrize("error", [RuntimeError, ZeroDivisionError, NotImplementedError, AssertionError, MemoryError])
def test_whatever_a_decoder_raises_concerns_its_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(image: ImageFile.ImageFile) -> None:
        raise error("no such\ncolours")

    Image.fromarray(NOISE).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(InputError, match=r"a\.png (is cut off or damaged \(no such colours\)|needs more memory)"):
        read_image(tmp_path / "a.png")


def test_a_damaged_avif_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    Image.fromarray(NOISE).save(path)
    content = path.read_bytes()
    data = content.index(b"mdat") + 4
    for damaged in (
        content[:data] + b"\xff" * (len(content) - data),
        content[: data + 40],
        content.replace(b"av01", b"x"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.avif is cut off or damaged") as caught:
            read_image(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1}], ids=["DNG", "preview first"])
def test_the_preview_of_a_raw_photograph_is_not_taken_for_it(tmp_path: Path, tags: dict[int, object]) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(NOISE).save(path, tiffinfo=tags)
    with pytest.raises(InputError, match=r"a\.tif is a raw photograph with a small preview; develop it"):
        read_image(path)


def test_pictures_of_phones_are_read_where_their_reader_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    assert heif_is_read()
    flat = np.full((48, 64, 3), (200, 40, 90), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(flat).save(tmp_path / "a.heic", exif=exif.tobytes())
    pixels = read_image(tmp_path / "a.heic")
    assert pixels.shape == (64, 48, 3)  # turned by a quarter
    assert np.abs(pixels.astype(int) - flat[0, 0]).max() <= 3
    assert ".heic" in image_endings()


def test_without_that_reader_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heif_is_read.cache_clear()
    try:
        assert ".heic" not in image_endings()
        path = tmp_path / "a.HEIC"
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
        with pytest.raises(InputError, match=r"is a HEIC image; pip install 'freeda-svc\[heic\]'"):
            read_image(path)
    finally:
        heif_is_read.cache_clear()
