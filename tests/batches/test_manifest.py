import json
import os
from pathlib import Path

import pytest

from freeda_svc.batches.manifest import NAME, ManifestEntry, ResultsManifest, digest_of_file, digest_of_request
from freeda_svc.errors import InputError, UnavailableError

FILES = {"mask": "a/x.mask.png", "summary": "a/x.json"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder for which a job was submitted and one image written."""
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    for name in FILES.values():
        (out / name).write_text(name)
    manifest = ResultsManifest(out)
    manifest.note_job("request", "job-1")
    digests = {name: digest_of_file(out / name) for name in FILES.values()}
    manifest.note_image(ManifestEntry("a/x", "image", "request", "job-1", 1, digests))
    return out


def test_a_manifest_read_again_has_its_jobs_and_images(out: Path) -> None:
    manifest = ResultsManifest(out)
    assert manifest.jobs == {"request": ["job-1"]}
    assert manifest.holds("a/x", "image", "request", FILES)
    assert manifest.holds("a/x", "image", "request", {"mask": FILES["mask"]})


def test_names_of_files_need_not_be_utf_8(out: Path) -> None:
    stem = os.fsdecode(b"caf\xe9")
    name = f"{stem}.mask.png"
    (out / name).write_text("mask")
    ResultsManifest(out).note_image(
        ManifestEntry(stem, "image", "request", "job-1", 1, {name: digest_of_file(out / name)})
    )
    assert ResultsManifest(out).holds(stem, "image", "request", {"mask": name})


@pytest.mark.parametrize(
    ("stem", "image", "request_digest", "files"),
    [
        ("x", "image", "request", FILES),
        ("a/x", "another image", "request", FILES),
        ("a/x", "image", "other categories", FILES),
        ("a/x", "image", "request", {**FILES, "overlay": "a/x.overlay.png"}),
    ],
)
def test_files_of_another_image_or_request_do_not_count(
    out: Path, stem: str, image: str, request_digest: str, files: dict[str, str]
) -> None:
    assert not ResultsManifest(out).holds(stem, image, request_digest, files)


def test_files_that_are_gone_or_changed_do_not_hold(out: Path) -> None:
    (out / "a/x.json").write_text("changed")
    assert not ResultsManifest(out).holds("a/x", "image", "request", FILES)
    (out / "a/x.json").unlink()
    assert not ResultsManifest(out).holds("a/x", "image", "request", FILES)
    assert ResultsManifest(out).holds("a/x", "image", "request", {"mask": FILES["mask"]})


def test_further_files_of_the_same_result_are_added(out: Path) -> None:
    (out / "a/x.geojson").write_text("{}")
    more = {"a/x.geojson": digest_of_file(out / "a/x.geojson")}
    ResultsManifest(out).note_image(ManifestEntry("a/x", "image", "request", "job-1", 1, more))
    assert ResultsManifest(out).holds("a/x", "image", "request", {**FILES, "polygons": "a/x.geojson"})
    ResultsManifest(out).note_image(ManifestEntry("a/x", "image", "another request", "job-2", 1, more))
    assert not ResultsManifest(out).holds("a/x", "image", "another request", FILES)


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_line_that_was_cut_off_does_not_count_and_spoils_no_other(out: Path, kept: int) -> None:
    whole = (out / NAME).read_bytes()
    (out / NAME).write_bytes(whole[:-kept])
    manifest = ResultsManifest(out)
    assert not manifest.holds("a/x", "image", "request", FILES)
    manifest.note_job("request", "job-2")
    assert ResultsManifest(out).jobs["request"] == ["job-1", "job-2"]


@pytest.mark.parametrize(
    "change",
    [
        {"stem": None},
        {"job": 5},
        {"job": "../other"},
        {"number": "1"},
        {"number": True},
        {"files": ["x"]},
        {"files": {"x": 3}},
        {"bank_version": "new"},
        {"colour": "red"},
    ],
)
def test_a_line_with_something_else_in_it_is_damaged(out: Path, change: dict[str, object]) -> None:
    first, second = (out / NAME).read_text().splitlines()
    (out / NAME).write_text(f"{first}\n{json.dumps({**json.loads(second), **change})}\n")
    manifest = ResultsManifest(out)
    assert (manifest.damaged, manifest.images, manifest.jobs) == (1, {}, {"request": ["job-1"]})


def test_reading_the_manifest_of_a_new_folder_makes_no_file(tmp_path: Path) -> None:
    manifest = ResultsManifest(tmp_path / "new")
    assert (manifest.jobs, manifest.images) == ({}, {})
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_read_or_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        ResultsManifest(tmp_path)
    (tmp_path / "file").write_text("")
    manifest = ResultsManifest(tmp_path / "other")
    manifest.folder = tmp_path / "file" / "out"
    with pytest.raises(UnavailableError, match="cannot be written"):
        manifest.note_job("request", "job")


def test_another_mask_generator_is_another_request_where_regions_are_its_masks() -> None:
    def digest(way: str, masks: str) -> str:
        return digest_of_request(
            pack="p", masks=masks, segmentation={"regions": {"way": way}}, bank="b@1", bank_created="t", categories=None
        )

    assert digest("masks", "sam") != digest("masks", "other")
    assert digest("superpixels", "sam") == digest("superpixels", "other")
