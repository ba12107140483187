import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.client.uploads import FileWhileSent, read_mask_upload, read_upload, read_uploads
from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def decoded(content: object) -> np.ndarray:
    assert isinstance(content, bytes)
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def test_file_is_open_only_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"0123456789")
    sent = FileWhileSent(path)
    before = open_files()
    assert sent.seek(0, os.SEEK_END) == 10
    sent.seek(0)
    assert open_files() == before
    assert (sent.read(4), sent.tell(), sent.read(4), sent.read(4)) == (b"0123", 4, b"4567", b"89")
    assert sent.read(4) == b""
    assert open_files() == before
    sent.seek(0)
    assert sent.read() == b"0123456789"


def test_file_outside_of_the_allowed_folders_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="lies outside"):
        FileWhileSent(path, InputRules((tmp_path / "in",))).read()


def test_files_and_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(PIXELS).save(path)
    upload = read_upload(path)
    assert (upload.name, upload.content) == ("photo.jpg", path)
    assert read_upload(path.read_bytes()).content == path.read_bytes()


def test_arrays_and_pictures_are_sent_without_loss() -> None:
    assert np.array_equal(decoded(read_upload(PIXELS).content), PIXELS)
    transparent = np.dstack([PIXELS, np.full((4, 6), 7, dtype=np.uint8)])
    assert np.array_equal(decoded(read_upload(transparent).content), transparent)
    assert np.array_equal(decoded(read_upload(Image.fromarray(transparent)).content), transparent)
    assert np.array_equal(decoded(read_upload(Image.fromarray(PIXELS).convert("L")).content), decoded_grey())


def decoded_grey() -> np.ndarray:
    return np.asarray(Image.fromarray(PIXELS).convert("L"))


def test_orientation_of_a_picture_stays_with_it() -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = 6
    content = read_upload(image).content
    assert isinstance(content, bytes)
    with Image.open(io.BytesIO(content)) as sent:
        assert sent.getexif()[0x0112] == 6


def test_one_several_or_a_folder(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    assert [upload.name for upload in read_uploads(tmp_path)] == ["a.png", "b.png"]
    assert [upload.name for upload in read_uploads([tmp_path / "b.png", PIXELS])] == ["b.png", "image.png"]
    assert len(read_uploads(PIXELS)) == 1
    with pytest.raises(InputError, match="no images were given"):
        read_uploads([])
    with pytest.raises(InputError, match=r"no such image file: .*c\.png"):
        read_uploads([tmp_path / "c.png"])
    with pytest.raises(InputError, match="expected an image"):
        read_uploads(7)  # type: ignore[arg-type]


def test_mask_is_sent_as_zeros_and_ones() -> None:
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 2:4] = True
    assert np.array_equal(decoded(read_mask_upload(mask).content) > 0, mask)
