import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from freeda_svc.batches.inputs import EXPORTED, find_images
from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules
from freeda_svc.outputs.dataset_folders import NOTES

Made = Callable[..., Path]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes small images below a folder that is also the current one."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (2, 2)).save(tmp_path / name)
        return tmp_path

    return make


def names_of(*paths: str, lists: tuple[str, ...] = (), recursive: bool = False) -> list[tuple[str, str, str]]:
    found = find_images(map(Path, paths), map(Path, lists), recursive=recursive)
    assert found.problems == []
    return [(str(image.path), image.name, image.stem) for image in found.images]


def test_files_are_called_after_themselves(photos: Made) -> None:
    photos("in/b.png", "a.jpg")
    assert names_of("in/b.png", "a.jpg") == [("in/b.png", "b.png", "b"), ("a.jpg", "a.jpg", "a")]


def test_files_of_equal_names_keep_their_folders(photos: Made) -> None:
    root = photos("in/a/x.png", "in/b/x.jpg", "in/y.png")
    expected = [("in/a/x.png", "a/x.png", "a/x"), ("in/b/x.jpg", "b/x.jpg", "b/x"), ("in/y.png", "y.png", "y")]
    assert names_of("in/a/x.png", "in/b/x.jpg", "in/y.png") == expected
    assert [stem for _, _, stem in names_of(str(root / "in/a/x.png"), "in/../in/b/x.jpg")] == ["a/x", "b/x"]


def test_equal_stems_in_one_folder_are_numbered(photos: Made) -> None:
    photos("x.png", "x.jpg", "X.bmp")
    assert [stem for _, _, stem in names_of("x.png", "x.jpg", "X.bmp")] == ["x", "x-2", "X-3"]


def test_a_folder_is_taken_in_order_without_what_is_no_image_or_hidden_or_a_result(photos: Made) -> None:
    root = photos("in/b.png", "in/a.JPG", "in/.c.png", "in/b.mask.png", "in/b.overlay.png", "in/deep/d.png")
    (root / "in" / "notes.txt").write_text("")
    found = find_images([Path("in")])
    assert [(image.name, image.stem) for image in found.images] == [("a.JPG", "a"), ("b.png", "b")]
    assert (found.problems, found.folders_left_out, found.passed_over) == ([], 1, {})


def test_what_may_be_a_picture_and_is_not_read_is_counted_by_its_ending(photos: Made) -> None:
    root = photos("in/b.png", "in/a.png")
    for name in ("1.DNG", "2.dng", "c.MOV", "d", ".e.cr2", "b.json", "coco.json", "b.geojson"):
        (root / "in" / name).write_text("")
    for given in ("in", "in/*"):
        assert find_images([Path(given)]).passed_over == {".dng": 2, ".mov": 1, "": 1}
    assert find_images([Path("in/a.png")]).passed_over == {}


def test_folders_inside_of_a_folder_keep_their_places(photos: Made) -> None:
    photos("in/x.png", "in/a/x.png", "in/a/b/y.png", "in/.hidden/z.png")
    stems = [stem for _, _, stem in names_of("in", recursive=True)]
    assert stems == ["x", "a/x", "a/b/y"]


def test_two_folders_with_equal_names_inside_keep_their_own_names(photos: Made) -> None:
    photos("p/a/x.png", "p/b/x.png", "p/b/y.png")
    assert [stem for _, _, stem in names_of("p/a", "p/b")] == ["a/x", "b/x", "y"]


def test_a_link_to_a_folder_above_is_not_walked_round(photos: Made) -> None:
    root = photos("in/x.png")
    (root / "in" / "up").symlink_to(root / "in")
    assert [stem for _, _, stem in names_of("in", recursive=True)] == ["x"]


def test_a_pattern_that_the_shell_left_is_matched(photos: Made) -> None:
    root = photos("in/a.png", "in/deep/b.png", "in/c.bmp", "odd[1].png")
    (root / "in" / "d.txt").write_text("")
    assert [name for _, name, _ in names_of("in/**/*.png")] == ["a.png", "b.png"]
    assert [name for _, name, _ in names_of("in/*")] == ["a.png", "c.bmp"]
    assert [name for _, name, _ in names_of("odd[1].png")] == ["odd[1].png"]


def test_an_image_that_is_named_twice_is_taken_once(photos: Made) -> None:
    root = photos("in/a.png")
    assert len(names_of("in/a.png", "in", str(root / "in/a.png"), "in/*.png")) == 1


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
def test_lists_name_images_of_any_folder(photos: Made, separator: str) -> None:
    root = photos("a/x.png", "b/x.png", "c d/é.png")
    (root / "list.txt").write_bytes(separator.join(["a/x.png", "", "b/x.png", "c d/é.png", ""]).encode())
    assert [stem for _, _, stem in names_of(lists=("list.txt",))] == ["a/x", "b/x", "é"]


def test_a_list_from_windows_is_read_or_refused_by_its_encoding(photos: Made) -> None:
    root = photos("a.png", "é.png")
    (root / "list.txt").write_bytes(b"\xef\xbb\xbfa.png\r\n")
    assert [stem for _, _, stem in names_of(lists=("list.txt",))] == ["a"]
    for encoding, looks_like in [("utf-16", "UTF-16"), ("cp1252", "Windows-1252")]:
        (root / "list.txt").write_bytes("a.png\né.png\n".encode(encoding))
        with pytest.raises(InputError, match=rf"^the list list\.txt is not UTF-8 text, it looks like {looks_like}"):
            find_images([], [Path("list.txt")])


def test_a_list_may_be_open_already(photos: Made) -> None:
    photos("a.png", "b.png")
    found = find_images([Path("a.png")], [io.BytesIO(b"b.png\n")])
    assert [image.stem for image in found.images] == ["a", "b"]
    with pytest.raises(InputError, match=r"^the list of images has no paths"):
        find_images([], [io.BytesIO(b"\n")])


@pytest.mark.parametrize(("content", "message"), [(b"\n \n", "has no paths"), (None, "cannot be read: No such file")])
def test_a_list_without_paths_is_refused(photos: Made, content: bytes | None, message: str) -> None:
    root = photos("a.png")
    if content is not None:
        (root / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        find_images([], [Path("list.txt")])


def test_what_cannot_be_used_is_reported_and_the_rest_goes_on(photos: Made) -> None:
    root = photos("a.png", "deep/folder/b.png")
    (root / "text.png").write_text("a sentence")
    (root / os.fsdecode(b"\xff.png")).touch()  # a file, so the list is right about it
    (root / "list.txt").write_bytes(b"\xff.png\n")
    (root / "empty").mkdir()
    paths = [Path(name) for name in ("text.png", "gone.png", "a.png", "*.tif", "empty", "deep")]
    found = find_images(paths, [Path("list.txt")])
    assert [image.name for image in found.images] == ["a.png"]
    told = sorted(found.problems)
    assert len(told) == 6
    assert told[0].endswith("rename the file")
    assert told[1:] == [
        "no image matches *.tif",
        "no such image file: gone.png",
        "text.png is not an image in a known format; give a file such as JPEG or PNG",
        "the folder deep has no images; its subfolders are searched with --recursive",
        "the folder empty has no images",
    ]


def test_paths_are_confined_to_the_allowed_folders_links_too(photos: Made) -> None:
    root = photos("in/a.png", "out/b.png")
    (root / "in" / "link.png").symlink_to(root / "out" / "b.png")
    found = find_images([Path("in"), Path("in/../out/b.png")], rules=InputRules((root / "in",)))
    assert [image.name for image in found.images] == ["a.png"]
    assert [problem.partition(" lies outside of ")[0] for problem in found.problems] == [
        f"in{os.sep}link.png", f"in{os.sep}..{os.sep}out{os.sep}b.png"
    ]  # fmt: skip


def test_copies_of_images_in_exports_are_no_images_again(photos: Made) -> None:
    root = photos("in/a.png", "in/yolo/images/a.png", "in/yolo/images/own.png", "in/index/a.jpg")
    (root / "in/yolo" / EXPORTED).write_text('["images/a.png", "labels/a.txt"]')
    (root / "in" / EXPORTED).write_text('["index.html", "index/a.jpg", 7]')
    assert [stem for _, _, stem in names_of("in", recursive=True)] == ["a", "yolo/images/own"]
    (root / "in/yolo" / EXPORTED).write_text("[")
    assert [stem for _, _, stem in names_of("in", recursive=True)] == ["a", "yolo/images/a", "yolo/images/own"]
    assert EXPORTED == NOTES
