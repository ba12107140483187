from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.evaluation.layouts import (
    Found,
    list_ade,
    list_cityscapes,
    list_coco_object,
    list_coco_stuff,
    list_folders,
)

Write = Callable[[Path, object], Path]
READERS: dict[str, tuple[Callable[[Path], Found], str, str]] = {
    "ADE20K": (list_ade, "images/validation/{}.jpg", "annotations/validation/{}.png"),
    "Cityscapes": (list_cityscapes, "leftImg8bit/val/ulm/{}_leftImg8bit.png", "gtFine/val/ulm/{}_gtFine_labelIds.png"),
    "COCO-Stuff": (list_coco_stuff, "images/val2017/{}.jpg", "annotations/val2017/{}.png"),
    "COCO-Object": (
        lambda folder: list_coco_object(folder, background=True),
        "images/val2017/{}.jpg",
        "annotations/val2017/{}.png",
    ),
    "folders": (lambda folder: list_folders(folder / "i", folder / "m", classes=2), "i/sub/{}.jpg", "m/sub/{}.png"),
}


@pytest.mark.parametrize("reader", READERS)
def test_names_that_begin_with_a_dot_are_no_members(
    tmp_path: Path, write_labels: Write, write_photo: Write, reader: str
) -> None:
    listing, image, labels = READERS[reader]
    write_photo(tmp_path / image.format("a"))
    write_labels(tmp_path / labels.format("a"), [[0, 1]])
    expected = [member.image for member in listing(tmp_path).images]
    for place in (image, labels):
        (tmp_path / place.format("._a")).write_bytes(b"\0\5\26\7junk")
        hidden = (tmp_path / place.format("a")).parent.parent / ".trash" / Path(place.format("b")).name
        hidden.parent.mkdir()
        hidden.write_bytes(b"junk")
    assert [member.image for member in listing(tmp_path).images] == expected


def test_a_mask_is_found_however_its_suffix_is_written(tmp_path: Path, write_labels: Write, write_photo: Write) -> None:
    for name in ("a", "b"):
        write_photo(tmp_path / "i" / f"{name}.JPG")
    write_labels(tmp_path / "m" / "a.PNG", [[0, 1]])
    for suffix in ("bmp", "png", "tif"):
        write_labels(tmp_path / "m" / f"b.{suffix}", [[0, 1]])
    found = list_folders(tmp_path / "i", tmp_path / "m", classes=2)
    assert [member.labels.name for member in found.images] == ["a.PNG", "b.png"]
