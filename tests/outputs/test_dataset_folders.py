import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.images.orientation import is_upright
from freeda_svc.outputs import write_collections
from freeda_svc.outputs.dataset_folders import NOTES, DatasetFolder, is_plain_jpeg, write_image
from tests.outputs.kept_results import make_picture


def write(root: Path, *names: str) -> list[Path]:
    folder = DatasetFolder(root, names)
    for name in names:
        folder.path(name).write_text(name)
    return folder.finish()


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {NOTES}


def test_what_was_written_before_is_replaced(tmp_path: Path) -> None:
    assert write(tmp_path / "set", "a/1.txt", "a/2.txt") == [tmp_path / "set/a/1.txt", tmp_path / "set/a/2.txt"]
    write(tmp_path / "set", "a/2.txt", "b.txt")
    assert files(tmp_path / "set") == {"a/2.txt", "b.txt"}


def test_what_others_wrote_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/1.txt", "a/own.txt"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=r"1\.txt is there already and was not written by freeda"):
        DatasetFolder(tmp_path, ["a/0.txt", "a/1.txt"])
    assert files(tmp_path) == {"a/1.txt", "a/own.txt"}
    (tmp_path / "a/1.txt").unlink()
    write(tmp_path, "a/1.txt")
    write(tmp_path, "a/2.txt")
    assert files(tmp_path) == {"a/2.txt", "a/own.txt"}
    assert (tmp_path / "a/own.txt").read_text() == "mine"


def test_one_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    write(tmp_path, "1.txt", "2.txt")
    DatasetFolder(tmp_path, ["2.txt", "3.txt"]).path("3.txt").write_text("half")
    write(tmp_path, "3.txt")
    assert files(tmp_path) == {"3.txt"}


@pytest.mark.parametrize("notes", ['["../kept.txt", "/kept.txt", 7, ""]', "{}", "[", ""])
def test_nothing_outside_is_removed_whatever_is_noted(tmp_path: Path, notes: str) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    root = tmp_path / "set"
    root.mkdir()
    (root / NOTES).write_text(notes)
    write(root, "1.txt")
    assert (tmp_path / "kept.txt").exists()
    assert json.loads((root / NOTES).read_text()) == ["1.txt"]


def test_a_folder_that_cannot_be_made_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("a file")
    with pytest.raises(UnavailableError, match="name a folder that can be written"):
        DatasetFolder(tmp_path / "set" / "yolo", ["1.txt"])


def test_only_images_that_every_reader_sees_alike_are_copied(tmp_path: Path) -> None:
    turned, plain, deep = (tmp_path / name for name in ("turned.jpg", "plain.jpg", "deep.png"))
    picture = Image.new("RGB", (8, 4), (200, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(turned, exif=exif)
    picture.convert("L").save(plain)
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture.save(deep)
    assert (is_upright(turned), is_upright(plain)) == (False, True)
    assert [is_plain_jpeg(path) for path in (turned, plain, tmp_path / "cmyk.jpg", deep)] == [True, True, False, False]
    made = make_picture(tmp_path, np.zeros((8, 4), dtype=np.int32), ["a"])
    made = replace(made, image=replace(made.image, path=turned))
    for suffix in (".png", ".jpg"):
        write_image(made, tmp_path / f"out{suffix}", as_it_is=False)
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert (image.size, image.mode) == ((4, 8), "RGB")
            assert image.getexif().get(0x0112, 1) == 1


def test_an_image_shows_what_was_filled_in(tmp_path: Path) -> None:
    made = make_picture(tmp_path, np.zeros((8, 4), dtype=np.int32), ["a"])
    Image.new("RGBA", (4, 8)).save(made.image.path)
    for fill, expected in (("", (255, 255, 255)), ("blue", (0, 0, 255))):
        summary = {**made.result.summary, "parameters": {"fill_transparent": fill}}
        (made.result.folder / "summary.json").write_text(json.dumps(summary))
        write_image(made, tmp_path / "out.png", as_it_is=False)
        with Image.open(tmp_path / "out.png") as image:
            assert image.getcolors() == [(32, expected)]
        write_collections([made], tmp_path / "sheet", ["index"])
        with Image.open(tmp_path / "sheet" / "index" / "cat.jpg") as image:
            red, green, blue = (int(low) for low, _ in image.getextrema())
            assert (red > 100, green > 100, blue > 100) == (fill == "", fill == "", True)
