import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs import (
    cancel_job,
    job_summary,
    list_jobs,
    prune_jobs,
    pruning,
    retry_failed_items,
    submit_exemplars,
    submit_ingest,
    submit_segment,
)
from freeda_svc.jobs.claims import Claim, claim_next, fail_item, finish_item
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.input_images import keep_image
from freeda_svc.jobs.pruning import PrunedJob
from freeda_svc.jobs.results import result_folder
from freeda_svc.jobs.tables import Attempt, Event, Job, WorkItem, now
from freeda_svc.prototypes.exemplar_files import MarkedImage
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
ImageFile = Callable[..., Path]
WEEK = timedelta(days=7)


def _age(settings: Settings, *job_ids: str, days: int = 30) -> None:
    """As if jobs had ended, and all files been written, some time ago."""
    moment = now() - timedelta(days=days)
    with writing(settings) as session:
        session.execute(update(Job).where(Job.id.in_(job_ids)).values(updated_at=moment))
    for file in settings.artifacts_folder.rglob("*"):
        os.utime(file, (moment.timestamp(), moment.timestamp()))


def _done(settings: Settings, job_id: str) -> None:
    """Work on whatever waits, as if it were segmented."""
    while (claim := claim_next(settings, "worker")) is not None:
        assert claim.job_id == job_id
        folder = result_folder(settings, claim.job_id, claim.number)
        folder.mkdir(parents=True)
        (folder / "mask.png").write_bytes(b"x" * 10)
        finish_item(settings, claim, {})


@pytest.fixture
def segment(settings: Settings, outbox: "Outbox") -> Callable[..., str]:
    def ask(*images: Path) -> str:
        job_id = submit_segment(settings, images, [{"name": "cat"}], dispatcher=outbox, idempotency_key=images[0].name)
        _done(settings, job_id)
        return job_id

    return ask


@both
def test_old_jobs_go_with_their_results_and_inputs_of_their_own(
    settings: Settings, segment: Callable[..., str], image_file: ImageFile
) -> None:
    shared, alone, kept = image_file("shared.png", 1), image_file("alone.png", 2), image_file("kept.png", 3)
    old, new = segment(alone, shared), segment(kept, shared)
    _age(settings, old)
    inputs = settings.artifacts_folder / "inputs"
    sizes = 20 + alone.stat().st_size

    told = prune_jobs(settings, WEEK, dry_run=True)
    assert [(job.id, job.state, job.items) for job in told.jobs] == [(old, "done", 2)]
    assert (told.files, told.bytes) == (3, sizes)
    assert len(list_jobs(settings)) == 2
    assert len(list(inputs.iterdir())) == 3

    assert prune_jobs(settings, WEEK, dry_run=False) == told
    assert [job.id for job in list_jobs(settings)] == [new]
    assert len(list(inputs.iterdir())) == 2
    assert not result_folder(settings, old, 1).parent.exists()
    assert (result_folder(settings, new, 1) / "mask.png").exists()
    with pytest.raises(NotFoundError):
        job_summary(settings, old)
    with reading(settings) as session:
        assert set(session.scalars(select(WorkItem.job_id))) == {new}
        assert set(session.scalars(select(Event.job_id))) == {new}
        assert session.execute(select(func.count()).select_from(Attempt)).scalar() == 2
    assert prune_jobs(settings, WEEK, dry_run=False).jobs == ()


def test_what_is_not_ended_or_not_old_stays(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]
) -> None:
    def claimed() -> tuple[str, Claim]:
        job_id = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
        claim = claim_next(settings, job_id)
        assert claim is not None
        return job_id, claim

    (failed, claim), (cancelled_in_hand, _), (running, _) = claimed(), claimed(), claimed()
    fail_item(settings, claim, "broken", final=True)
    cancel_job(settings, cancelled_in_hand)
    queued = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    young = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    cancel_job(settings, young)
    _age(settings, failed, cancelled_in_hand, running, queued)
    assert [job.id for job in prune_jobs(settings, WEEK, dry_run=False).jobs] == [failed]
    assert {job.id for job in list_jobs(settings)} == {cancelled_in_hand, running, queued, young}
    assert [job.id for job in prune_jobs(settings, timedelta(0), dry_run=False).jobs] == [young]


def test_exemplars_share_inputs_with_images(
    settings: Settings, segment: Callable[..., str], image_file: ImageFile, outbox: "Outbox"
) -> None:
    image = image_file("a.png", 1)
    old = segment(image)
    marked = MarkedImage("moon", image, np.ones((8, 8), dtype=bool), "a moon")
    submit_exemplars(settings, [marked], source="x", dispatcher=outbox)
    _age(settings, old)
    prune_jobs(settings, WEEK, dry_run=False)
    assert len(list((settings.artifacts_folder / "inputs").iterdir())) == 2


def test_left_over_inputs_go_when_they_are_a_day_old(settings: Settings) -> None:
    folder = settings.artifacts_folder / "inputs"
    folder.mkdir(parents=True)
    (folder / "old.png").write_bytes(b"x" * 7)
    _age(settings)
    (folder / "new.png").write_bytes(b"x")  # its job is perhaps just being accepted
    assert prune_jobs(settings, WEEK, dry_run=False) == prune_jobs(settings, WEEK).__class__((), 1, 7)
    assert [file.name for file in folder.iterdir()] == ["new.png"]


def test_files_that_were_begun_and_left_go_when_they_are_a_day_old(settings: Settings) -> None:
    pictures = settings.artifacts_folder / "thumbnails" / "ab"
    pictures.mkdir(parents=True)
    left, begun, picture = pictures / ".0af3.part", pictures / ".17bc.part", pictures / "cat.png"
    for file in (left, begun, picture):
        file.write_bytes(b"12345")
    _age(settings)
    os.utime(begun)

    assert prune_jobs(settings, WEEK, dry_run=True).bytes == 5
    assert left.exists()
    assert prune_jobs(settings, WEEK, dry_run=False).files == 1
    assert sorted(pictures.iterdir()) == [begun, picture]


def test_a_negative_age_is_reported_in_one_line(settings: Settings) -> None:
    with pytest.raises(InputError, match="give zero days or more"):
        prune_jobs(settings, timedelta(days=-1))


def test_a_key_can_be_used_again_after_its_job_is_gone(
    settings: Settings, segment: Callable[..., str], image_file: ImageFile
) -> None:
    first = segment(image_file("a.png", 1))
    _age(settings, first)
    prune_jobs(settings, WEEK, dry_run=False)
    assert segment(image_file("a.png", 2)) != first


@both
def test_a_job_that_is_tried_again_meanwhile_stays_with_all_it_has(
    settings: Settings, outbox: "Outbox", image_file: ImageFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit_segment(
        settings, [image_file("a.png", 1), image_file("b.png", 2)], [{"name": "cat"}], dispatcher=outbox
    )
    first = claim_next(settings, "worker")
    assert first is not None
    folder = result_folder(settings, job_id, 1)
    folder.mkdir(parents=True)
    (folder / "mask.png").write_bytes(b"x")
    finish_item(settings, first, {})
    second = claim_next(settings, "worker")
    assert second is not None
    fail_item(settings, second, "broken", final=True)
    _age(settings, job_id)
    inputs = settings.artifacts_folder / "inputs"
    remove = pruning.remove_rows

    def retried_an_instant_before(given: Settings, job: PrunedJob) -> bool:
        retry_failed_items(settings, job_id, dispatcher=outbox)
        return remove(given, job)

    monkeypatch.setattr(pruning, "remove_rows", retried_an_instant_before)
    pruned = prune_jobs(settings, WEEK, dry_run=False)
    assert (pruned.jobs, pruned.files) == ((), 0)
    assert (folder / "mask.png").is_file()
    assert len(list(inputs.iterdir())) == 2
    assert job_summary(settings, job_id).state == "running"


def test_an_image_that_is_just_submitted_again_keeps_its_copy(
    settings: Settings, segment: Callable[..., str], image_file: ImageFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = image_file("a.png", 1)
    old = segment(image)
    _age(settings, old)
    look = pruning.unused_inputs

    def submitted_an_instant_later(*given: Any, **named: Any) -> dict[Path, float]:  # noqa: ANN401 - as it is
        found = look(*given, **named)
        keep_image(settings, image, settings.input_rules)
        return found

    monkeypatch.setattr(pruning, "unused_inputs", submitted_an_instant_later)
    pruned = prune_jobs(settings, WEEK, dry_run=False)
    assert [job.id for job in pruned.jobs] == [old]
    [kept] = (settings.artifacts_folder / "inputs").iterdir()
    assert kept.read_bytes() == image.read_bytes()


@both
def test_jobs_that_are_named_go_at_once_with_what_is_theirs_alone(
    settings: Settings, segment: Callable[..., str], outbox: "Outbox", image_file: ImageFile
) -> None:
    shared, alone = image_file("shared.png", 1), image_file("alone.png", 2)
    named, other = segment(alone, shared), segment(shared)
    waiting = submit_segment(settings, [image_file("c.png", 3)], [{"name": "cat"}], dispatcher=outbox)
    told = prune_jobs(settings, WEEK, only=[named[:6]])
    assert [job.id for job in told.jobs] == [named]
    with pytest.raises(InputError, match=f"job {waiting} has not ended"):
        prune_jobs(settings, WEEK, dry_run=False, only=[named, waiting])
    with pytest.raises(NotFoundError):
        prune_jobs(settings, WEEK, dry_run=False, only=[named, "ffffffffffff"])
    pruned = prune_jobs(settings, WEEK, dry_run=False, only=[named])
    assert (pruned.jobs, pruned.files) == (told.jobs, told.files)
    assert {job.id for job in list_jobs(settings)} == {other, waiting}
    assert len(list((settings.artifacts_folder / "inputs").iterdir())) == 2
    assert not result_folder(settings, named, 1).parent.exists()
    assert result_folder(settings, other, 1).exists()
    with pytest.raises(NotFoundError):
        retry_failed_items(settings, named, dispatcher=outbox)
