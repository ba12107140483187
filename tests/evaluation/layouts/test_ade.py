from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED
from freeda_svc.evaluation.layouts import list_ade

Write = Callable[[Path, object], Path]


@pytest.mark.parametrize("folder", ["", "ADEChallengeData2016"])
def test_zero_is_ignored_and_classes_begin_at_one(
    tmp_path: Path, write_labels: Write, write_photo: Write, folder: str
) -> None:
    root = tmp_path / folder
    for number in (2, 1):
        write_photo(root / f"images/validation/ADE_val_0000000{number}.jpg")
        write_labels(root / f"annotations/validation/ADE_val_0000000{number}.png", [[0, 1, 150]])
    found = list_ade(tmp_path)
    assert [image.name for image in found.images] == ["ADE_val_00000001", "ADE_val_00000002"]
    assert found.values.read(found.images[0].labels).tolist() == [[IGNORED, 0, 149]]


def test_a_missing_folder_or_file_is_named(tmp_path: Path, write_photo: Write) -> None:
    with pytest.raises(InputError, match=r"not laid out as ADE20K: expected .*/images/validation"):
        list_ade(tmp_path)
    write_photo(tmp_path / "images/validation/ADE_val_00000001.jpg")
    with pytest.raises(InputError, match=r"not laid out as ADE20K: expected .*/annotations/validation"):
        list_ade(tmp_path)
    (tmp_path / "annotations/validation").mkdir(parents=True)
    with pytest.raises(InputError, match=r"ADE20K is not complete: expected .*/ADE_val_00000001\.png"):
        list_ade(tmp_path)
