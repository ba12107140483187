"""What a folder and a bucket keep alike."""

from pathlib import Path

import pytest

from freeda_svc.artifacts import Artifacts, FolderArtifacts, StoredFile
from freeda_svc.errors import NotFoundError


@pytest.fixture(params=["folder", "bucket"])
def any_artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    if request.param == "folder":
        return FolderArtifacts(tmp_path / "artifacts")
    found: Artifacts = request.getfixturevalue("artifacts")
    return found


def _names(artifacts: Artifacts, below: str) -> dict[str, int]:
    return {file.name: file.size for file in artifacts.files(below)}


def test_what_is_written_can_be_read_listed_and_removed(any_artifacts: Artifacts) -> None:
    assert _names(any_artifacts, "inputs") == {}
    assert not any_artifacts.exists("inputs/a.png")
    any_artifacts.write("inputs/a.png", b"first")
    any_artifacts.write("inputs/a.png", b"second")
    any_artifacts.write("inputs-2/b.png", b"of another folder")
    assert any_artifacts.read("inputs/a.png") == b"second"
    assert any_artifacts.local("inputs/a.png").read_bytes() == b"second"
    assert any_artifacts.exists("inputs/a.png")
    assert _names(any_artifacts, "inputs") == {"inputs/a.png": 6}
    any_artifacts.remove("inputs/a.png")
    any_artifacts.remove("inputs/a.png")
    assert not any_artifacts.exists("inputs/a.png")
    assert _names(any_artifacts, "inputs") == {}
    with pytest.raises(NotFoundError, match=r"inputs/a\.png"):
        any_artifacts.read("inputs/a.png")


def test_what_is_filled_in_is_there_at_the_end(any_artifacts: Artifacts) -> None:
    with any_artifacts.filling() as root:
        folder = root / "results" / "job" / "1"
        folder.mkdir(parents=True)
        (folder / "mask.png").write_bytes(b"mask")
        (folder / "summary.json").write_bytes(b"{}")
    assert _names(any_artifacts, "results") == {"results/job/1/mask.png": 4, "results/job/1/summary.json": 2}
    assert any_artifacts.local("results/job/1/mask.png").read_bytes() == b"mask"
    any_artifacts.remove_below("results/job")
    assert _names(any_artifacts, "results") == {}


def test_a_file_that_was_written_at_its_place_can_be_published(any_artifacts: Artifacts) -> None:
    path = any_artifacts.folder / "inputs" / "a.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"image")
    any_artifacts.publish("inputs/a.png")
    assert any_artifacts.read("inputs/a.png") == b"image"


def test_those_of_some_that_exist_are_brought(any_artifacts: Artifacts) -> None:
    any_artifacts.write("thumbnails/a.png", b"a")
    any_artifacts.write("thumbnails/b.png", b"b")
    folder = any_artifacts.bring(["thumbnails/a.png", "thumbnails/b.png", "thumbnails/none.png", "../outside", ""])
    assert (folder / "thumbnails" / "a.png").read_bytes() == b"a"
    assert (folder / "thumbnails" / "b.png").read_bytes() == b"b"
    assert not (folder / "thumbnails" / "none.png").exists()


def test_what_was_written_again_since_it_was_listed_stays(any_artifacts: Artifacts) -> None:
    any_artifacts.write("inputs/a.png", b"image")
    [listed] = any_artifacts.files("inputs")
    assert not any_artifacts.remove_unchanged(StoredFile(listed.name, listed.size, listed.written - 10))
    assert any_artifacts.read("inputs/a.png") == b"image"
    assert any_artifacts.remove_unchanged(listed)
    assert not any_artifacts.exists("inputs/a.png")
    assert not any_artifacts.remove_unchanged(listed)


def test_trying_it_out_leaves_nothing(any_artifacts: Artifacts) -> None:
    any_artifacts.folder.mkdir(parents=True, exist_ok=True)
    any_artifacts.try_out()
    assert list(any_artifacts.folder.iterdir()) == []
    assert _names(any_artifacts, "results") == {}
