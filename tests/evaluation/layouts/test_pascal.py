from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED
from freeda_svc.evaluation.layouts import list_context, list_voc

Write = Callable[[Path, object], Path]
LABELS = [[0, 1, 255]]


@pytest.fixture
def make(write_labels: Write, write_photo: Write) -> Callable[..., None]:
    """Write a development kit with two listed images and one that is not listed."""

    def write(root: Path, labels: str, listing: str, values: object = LABELS) -> None:
        for name in ("2007_000033", "2007_000042", "2007_000999"):
            write_photo(root / "JPEGImages" / f"{name}.jpg", (3, 1))
            write_labels(root / labels / f"{name}.png", values)
        (root / listing).parent.mkdir(parents=True)
        (root / listing).write_text("2007_000033\n2007_000042\n\n")

    return write


def test_a_list_from_windows_is_read_or_refused_by_its_encoding(tmp_path: Path, make: Callable[..., None]) -> None:
    listing = tmp_path / "ImageSets/Segmentation/val.txt"
    make(tmp_path, "SegmentationClass", "ImageSets/Segmentation/val.txt")
    listing.write_bytes(b"\xef\xbb\xbf2007_000033\r\n2007_000042\r\n")
    assert [image.name for image in list_voc(tmp_path, background=True).images] == ["2007_000033", "2007_000042"]
    listing.write_bytes("2007_000033\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"val\.txt is not UTF-8 text, it looks like UTF-16; save it as UTF-8$"):
        list_voc(tmp_path, background=True)


@pytest.mark.parametrize("kit", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_voc_is_found_in_any_folder_of_the_kit(tmp_path: Path, make: Callable[..., None], kit: str) -> None:
    root = tmp_path / kit
    make(root, "SegmentationClass", "ImageSets/Segmentation/val.txt", [[0, 1, 20, 255]])
    found = list_voc(tmp_path, background=True)
    assert [image.name for image in found.images] == ["2007_000033", "2007_000042"]
    assert found.images[0].image == root / "JPEGImages/2007_000033.jpg"
    assert found.values.read(found.images[0].labels).tolist() == [[0, 1, 20, IGNORED]]


def test_without_background_its_pixels_are_ignored(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path, "SegmentationClass", "ImageSets/Segmentation/val.txt", [[0, 1, 20, 255]])
    found = list_voc(tmp_path, background=False)
    assert found.values.read(found.images[0].labels).tolist() == [[IGNORED, 0, 19, IGNORED]]


@pytest.mark.parametrize(
    ("background", "expected"), [(True, [[0, 1, 59, IGNORED]]), (False, [[IGNORED, 0, 58, IGNORED]])]
)
def test_context_has_its_own_folder_and_list(
    tmp_path: Path, make: Callable[..., None], background: bool, expected: list[list[int]]
) -> None:
    make(
        tmp_path / "VOC2010",
        "SegmentationClassContext",
        "ImageSets/SegmentationContext/val.txt",
        [[0, 1, 59, 255]],
    )
    found = list_context(tmp_path, background=background)
    assert len(found.images) == 2
    assert found.values.read(found.images[0].labels).tolist() == expected


def test_a_folder_without_the_list_says_which_file_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not laid out as VOC 2012: expected .*/ImageSets/Segmentation/val\.txt"):
        list_voc(tmp_path, background=True)
    with pytest.raises(InputError, match=r"not laid out as Pascal Context: .*/SegmentationContext/val\.txt"):
        list_context(tmp_path, background=True)


@pytest.mark.parametrize("missing", ["JPEGImages/2007_000042.jpg", "SegmentationClass/2007_000042.png"])
def test_the_first_missing_file_is_named(tmp_path: Path, make: Callable[..., None], missing: str) -> None:
    make(tmp_path, "SegmentationClass", "ImageSets/Segmentation/val.txt")
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=f"VOC 2012 is not complete: expected {tmp_path / missing}"):
        list_voc(tmp_path, background=True)


@pytest.mark.parametrize(("text", "message"), [("\n", "is empty"), ("../../secret\n", "leads out of the dataset")])
def test_a_list_that_is_none_is_refused(tmp_path: Path, make: Callable[..., None], text: str, message: str) -> None:
    make(tmp_path, "SegmentationClass", "ImageSets/Segmentation/val.txt")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        list_voc(tmp_path, background=True)


def test_labels_of_another_dataset_are_noticed(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path, "SegmentationClass", "ImageSets/Segmentation/val.txt", [[21]])
    found = list_voc(tmp_path, background=True)
    with pytest.raises(InputError, match="hold the value 21"):
        found.values.read(found.images[0].labels)
