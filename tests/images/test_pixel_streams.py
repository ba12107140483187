"""Pixels are read although the metadata around them are broken or large."""

import struct
import tracemalloc
import zlib
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from freeda_svc.errors import InputError
from freeda_svc.images import check_image_file, read_image
from freeda_svc.images.orientation import read_frame
from freeda_svc.images.pixel_streams import pixel_stream

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
HEADER_END = 33
BROKEN_EXIF = b"b'Exif\\x00\\x00MM\\x00*"


def chunk(kind: bytes, data: bytes, checksum: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ checksum)


def png(**options: object) -> bytes:
    content = BytesIO()
    Image.fromarray(NOISE).save(content, "PNG", **options)
    return content.getvalue()


def put_in(*chunks: bytes) -> bytes:
    """A PNG file with chunks after its header, and again before its end."""
    content = png()
    return content[:HEADER_END] + b"".join(chunks) + content[HEADER_END:-12] + b"".join(chunks) + content[-12:]


LARGE = zlib.compress(b"x" * (2 << 20))


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"zTXt", b"workflow\0\0" + LARGE)],
        [chunk(b"iCCP", b"scanner\0\0" + LARGE)],
        [chunk(b"iTXt", b"prompt\0\1\0\0\0" + LARGE)],
        [chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE)],
        [chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE)],
        [chunk(b"zTXt", b"Raw profile type exif\0\0" + b"no deflate")],
        [chunk(b"tEXt", b"Comment\0" + b"x" * (70 << 20))],
        [chunk(b"tEXt", b"Comment\0hello", checksum=1)],
        [chunk(b"eXIf", b"MM\0*", checksum=1)],
        [chunk(b"eXIf", BROKEN_EXIF)],
        [chunk(b"gAMA", b"")],
        [chunk(b"pHYs", b"\1")],
    ],
    ids=lambda chunks: chunks[0][4:24].decode("latin-1").replace("\0", "-"),
)
def test_a_png_is_read_whatever_its_metadata(tmp_path: Path, chunks: list[bytes]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(put_in(*chunks))
    assert np.array_equal(read_image(path), NOISE)
    assert read_frame(path).size == (20, 30)
    check_image_file(path)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_an_orientation_that_cannot_be_read_counts_as_none(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(NOISE).save(path, exif=BROKEN_EXIF)
    assert read_image(path).shape == NOISE.shape
    assert read_frame(path).size == (20, 30)


def test_an_avif_with_broken_exif_data_is_read_as_its_own_properties_turn_it(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(NOISE).save(path, exif=exif.tobytes())
    path.write_bytes(path.read_bytes().replace(b"MM\0*", b"b'XX").replace(b"II*\0", b"b'XX"))
    assert read_image(path).shape == (30, 20, 3)


def test_what_is_no_image_is_reported_without_reading_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom")
        file.truncate(64 << 20)
    tracemalloc.start()
    with pytest.raises(InputError, match="is a video file, a format that is not read here"):
        check_image_file(path)
    reached = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reached < 8 << 20


@pytest.mark.parametrize(
    "text",
    [
        {"XML:com.adobe.xmp": '<x tiff:Orientation="6"/>'},
        {"Raw profile type exif": None},
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_an_orientation_in_a_text_is_obeyed(tmp_path: Path, text: dict[str, str | None], packed: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = b"Exif\0\0" + exif.tobytes()[6:]
    [(key, value)] = text.items()
    info = PngInfo()
    if value is None:
        info.add_text(key, f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=packed)
    else:
        info.add_itxt(key, value)
    info.add_text("Comment", "left out")
    path = tmp_path / "a.png"
    path.write_bytes(png(pnginfo=info))
    assert read_image(path).shape == (30, 20, 3)


def test_a_png_that_is_cut_off_in_a_text_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(put_in(chunk(b"tEXt", b"Comment\0" + b"x" * 500))[: HEADER_END + 200])
    with pytest.raises(InputError, match="is cut off or damaged"):
        read_image(path)


def test_animations_are_still_distinguished(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pages = [Image.new("L", (4, 4), grey) for grey in (10, 200)]
    info = PngInfo()
    info.add_text("Comment", "hello")
    pages[0].save(path, save_all=True, append_images=pages[1:], pnginfo=info)
    with pytest.raises(InputError, match="an animation of 2 pictures"):
        read_image(path)


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 2)), min_size=1, max_size=20))
@settings(derandomize=True, deadline=None)
def test_what_is_left_is_read_like_a_file_without_texts(moves: list[tuple[int, int]]) -> None:
    clean = png()
    whole = put_in(chunk(b"tEXt", b"Comment\0hello"), chunk(b"tIME", bytes(7)))
    with pixel_stream(BufferedReader(BytesIO(whole))) as stream, BytesIO(clean) as expected:
        assert stream.read() == expected.read() == clean
        for offset, whence in moves:
            step = -min(offset, stream.tell()) if whence == 1 else -offset if whence == 2 else offset
            assert stream.seek(step, whence) == expected.seek(step, whence)
            assert stream.read(13) == expected.read(13)
