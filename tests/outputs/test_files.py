import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.outputs import palette, read_labels, write_mask, write_overlay
from freeda_svc.outputs.files import check_suffix, copy_whole, make_folder, write_whole

LABELS = np.zeros((4, 4), dtype=np.int32)


def test_content_is_written_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["answer.json"]


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answer.json"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError, match=r"answer.json cannot be written: No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["answer.json"]


def test_others_may_read_what_the_user_lets_them(tmp_path: Path) -> None:
    plain, whole = tmp_path / "plain", tmp_path / "whole"
    plain.write_bytes(b"")
    write_whole(whole, b"")
    assert whole.stat().st_mode == plain.stat().st_mode


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No such file or directory; name a folder"):
        write_whole(tmp_path / "nowhere" / "answer.json", b"new")


def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answer.json").mkdir()
    with pytest.raises(UnavailableError, match="cannot be written"):
        write_whole(tmp_path / "answer.json", b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["answer.json"]


def test_names_that_promise_another_format_are_refused() -> None:
    check_suffix(Path("mask.png"), ".png")
    check_suffix(Path("MASK.PNG"), ".png")
    with pytest.raises(InputError, match=r"mask.jpg must end in .png"):
        check_suffix(Path("mask.jpg"), ".png")


def test_a_name_that_is_too_long_concerns_that_file_only(tmp_path: Path) -> None:
    long = "n" * 300
    for write in (
        lambda: write_whole(tmp_path / f"{long}.json", b""),
        lambda: copy_whole(Path(__file__), tmp_path / f"{long}.png"),
        lambda: make_folder(tmp_path / long / "a"),
    ):
        with pytest.raises(
            InputError, match=r"^n{60}\.\.\.: the name is too long for this file system; rename the image$"
        ):
            write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda path: write_mask(path, None, palette(2)),
            r"labels must be an \(H, W\) array of integers, not NoneType",
        ),
        (lambda path: write_mask(path, [[0]], palette(2)), r"labels must be an \(H, W\) array of integers, not list"),
        (lambda path: write_mask(None, LABELS, palette(2)), "expected the path of a file to write, not NoneType"),
        (lambda path: write_overlay(path, None, LABELS, ["a"], palette(2)), "expected an image: .* not None"),
        (
            lambda path: write_overlay(path, np.zeros((3, 4, 5), np.uint8), LABELS, ["a"], palette(2)),
            "its channels come first",
        ),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(tmp_path: Path, write: Callable[[Path], None], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_paths_may_be_strings_and_images_whatever_can_be_segmented(tmp_path: Path) -> None:
    write_mask(str(tmp_path / "mask.png"), LABELS, palette(2))
    pixels = np.full((4, 4, 3), 200, dtype=np.uint8)
    for number, image in enumerate((pixels, Image.fromarray(pixels), torch.from_numpy(pixels))):
        write_overlay(str(tmp_path / f"{number}.png"), image, LABELS, ["a"], palette(2))
    contents = [(tmp_path / f"{number}.png").read_bytes() for number in range(3)]
    assert contents[0] == contents[1] == contents[2]
    assert np.array_equal(read_labels(tmp_path / "mask.png"), LABELS)
