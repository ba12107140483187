from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import export_results, submit_ingest, submit_segment
from freeda_svc.jobs.claims import claim_item, finish_item
from freeda_svc.jobs.results import distinct_stems, result_folder
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

NAMES = ("mask.png", "overlay.png", "summary.json")


@pytest.fixture
def job_id(settings: Settings, outbox: "Outbox", image_file: Callable[..., Path]) -> str:
    """Three images, the first and the last segmented."""
    images = [image_file("cat.png"), image_file("other/cat.bmp", 1), image_file("dog.png", 2)]
    job_id = submit_segment(settings, images, [{"name": "cat"}], dispatcher=outbox)
    for number in (1, 3):
        claim = claim_item(settings, number, "worker")
        assert claim is not None
        folder = result_folder(settings, job_id, number)
        folder.mkdir(parents=True)
        for name in NAMES:
            (folder / name).write_text(f"{name} of {number}")
        finish_item(settings, claim, {})
    return job_id


def test_done_images_are_copied_under_their_names(settings: Settings, job_id: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported = export_results(settings, job_id[:8], out)
    assert [(image.number, image.name) for image in exported] == [(1, "cat.png"), (3, "dog.png")]
    assert exported[0].mask == out / "cat.mask.png"
    assert exported[0].mask.read_text() == "mask.png of 1"
    assert exported[0].overlay.read_text() == "overlay.png of 1"
    assert (out / "dog.json").read_text() == "summary.json of 3"
    assert len(list(out.iterdir())) == 6


def test_names_do_not_depend_on_what_is_done(settings: Settings, job_id: str, tmp_path: Path, outbox: "Outbox") -> None:
    claim = claim_item(settings, 2, "worker")
    assert claim is not None
    folder = result_folder(settings, job_id, 2)
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text("second")
    finish_item(settings, claim, {})
    for _ in range(2):
        exported = export_results(settings, job_id, tmp_path / "out")
    assert [image.mask.name for image in exported] == ["cat.mask.png", "cat-2.mask.png", "dog.mask.png"]


def test_lost_results_are_one_line(settings: Settings, job_id: str, tmp_path: Path) -> None:
    (result_folder(settings, job_id, 3) / "overlay.png").unlink()
    with pytest.raises(NotFoundError, match="is gone from the artifacts"):
        export_results(settings, job_id, tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_one_line(settings: Settings, job_id: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot be written"):
        export_results(settings, job_id, tmp_path / "file" / "out")


def test_an_ingest_job_has_nothing_to_export(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]], tmp_path: Path
) -> None:
    job_id = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    with pytest.raises(InputError, match="only segmentation jobs"):
        export_results(settings, job_id, tmp_path)


@given(st.lists(st.sampled_from(["a.png", "A.jpg", "a-2.png", "a-2-2.png", "b.tar.gz", "b.tar.bz2", ".x"])))
def test_every_name_gets_its_own_stem(names: list[str]) -> None:
    stems = distinct_stems(names)
    assert len({stem.casefold() for stem in stems}) == len(names)
    assert all(stem.startswith(Path(name).stem) for stem, name in zip(stems, names, strict=True))
