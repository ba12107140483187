"""Whole jobs with real processes: broker, worker, SQLite, bank, and models with random weights."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import redis
from PIL import Image
from sqlalchemy import select

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import (
    JobSummary,
    cancel_job,
    export_results,
    follow_job,
    job_items,
    job_summary,
    result_totals,
    retry_failed_items,
    submit_exemplars,
    submit_ingest,
    submit_segment,
)
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.results import result_folder
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.prototypes.exemplar_files import MarkedImage, read_marked_images
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import (
    CeleryDispatcher,
    ask_bank,
    background_stack,
    bank_nouns,
    bank_stats,
    running_broker_url,
    search_bank,
    worker_pid,
)

pytestmark = pytest.mark.end_to_end
Captions = Callable[..., list[Caption]]
Eventually = Callable[..., None]
CATEGORIES: list[dict[str, str | None]] = [{"name": "dog"}, {"name": "the rest", "text": "tree"}]


def _ended(settings: Settings, job_id: str) -> JobSummary:
    *_, last = follow_job(settings, job_id, every_seconds=0.05)
    return last


def _outcomes(settings: Settings, job_id: str) -> list[list[str]]:
    """How the attempts at each item of a job ended."""
    query = select(WorkItem.number, Attempt.outcome).join(Attempt).where(WorkItem.job_id == job_id)
    with reading(settings) as session:
        rows = list(session.execute(query.order_by(WorkItem.number, Attempt.number)))
    numbers = sorted({number for number, _ in rows})
    return [[outcome for number, outcome in rows if number == wanted] for wanted in numbers]


def _working_process(pid: int) -> int:
    """The one child of the worker that does the work."""
    found = [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit()
        and (process / "stat").exists()
        and int((process / "stat").read_text().rpartition(")")[2].split()[1]) == pid
        and b"spawn_main" in (process / "cmdline").read_bytes()
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def running(tiny_pack_folder: Path, tmp_path_factory: pytest.TempPathFactory, captions: Captions) -> Iterator[Settings]:
    """A stack whose bank knows a few dogs and trees."""
    settings = load_settings(
        home=tmp_path_factory.mktemp("running") / "home",
        pack=str(tiny_pack_folder),
        captions_per_item=2,
        reconcile_seconds=0.3,
        database_url="",
        broker_url="",
    )
    prepare_home(settings)
    job_id = submit_ingest(settings, captions(4), source="dogs", dispatcher=CeleryDispatcher(settings))
    with background_stack(settings):
        assert _ended(settings, job_id).state == "done"
        yield settings


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 72, 3), dtype=np.uint8)).save(path)
    return path


def test_what_was_ingested_can_be_asked_for(running: Settings) -> None:
    assert bank_nouns(running) == {"dog": 4, "tree": 4}
    stats = bank_stats(running)
    assert (stats["prototypes"], stats["captions"], stats["jobs"]) == (8, 4, 1)
    found = search_bank(running, "dog", limit=3)
    assert len(found) == 3
    assert found[0]["noun"] == "dog"
    assert found[0]["score"] >= found[1]["score"] >= found[2]["score"]
    assert (running.artifacts_folder / found[0]["image"]).is_file()
    assert (running.artifacts_folder / found[0]["mask"]).is_file()


@pytest.mark.parametrize(
    ("question", "arguments", "message"),
    [
        ("search_bank", {"bank": "default", "text": " ", "limit": 1}, "is empty"),
        ("search_bank", {"bank": "default", "text": "dog", "limit": 0}, "not 0"),
        ("forget", {"bank": "default", "selection": {}}, "nothing says which"),
        ("sing", {}, "not 'sing'"),
    ],
)
def test_a_question_that_cannot_be_answered_is_reported_in_one_line(
    running: Settings, question: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ask_bank(running, question, **arguments)


def test_banks_are_built_beside_each_other_while_the_worker_serves(running: Settings, captions: Captions) -> None:
    assert ask_bank(running, "create_bank", bank="cats") == "cats@1"
    assert ask_bank(running, "create_bank", bank="cats@2") == "cats@2"
    dispatcher = CeleryDispatcher(running)
    job_id = submit_ingest(running, captions(2, "cat"), source="cats", dispatcher=dispatcher, bank="cats@2")
    assert _ended(running, job_id).state == "done"
    assert bank_nouns(running, "cats") == {}
    ask_bank(running, "switch_bank", bank="cats@2")
    assert bank_nouns(running, "cats") == {"cat": 2, "tree": 2}
    assert bank_nouns(running) == {"dog": 4, "tree": 4}
    assert ask_bank(running, "count_selected", bank="cats", selection={"job": job_id}) == 4
    assert ask_bank(running, "forget", bank="cats", selection={"job": job_id, "noun": "tree"}) == 2
    assert bank_nouns(running, "cats") == {"cat": 2}
    ask_bank(running, "drop_bank", bank="cats@1")
    ask_bank(running, "drop_bank", bank="cats@2")
    assert [bank["bank"] for bank in ask_bank(running, "list_banks")] == ["default@1"]
    with pytest.raises(NotFoundError, match="freeda bank create cats"):
        submit_ingest(running, captions(1), source="cats", dispatcher=dispatcher, bank="cats")


def test_ingesting_again_adds_nothing(running: Settings, captions: Captions) -> None:
    before = bank_stats(running)["prototypes"]
    job_id = submit_ingest(running, captions(4), source="again", dispatcher=CeleryDispatcher(running))
    assert _ended(running, job_id).state == "done"
    totals = result_totals(running, job_id)
    assert (totals["captions"], totals["images"], totals["prototypes"], totals["new prototypes"]) == (4, 4, 8, 0)
    assert bank_stats(running)["prototypes"] == before


def test_a_persons_own_images_are_added_once_and_can_be_removed(
    running: Settings, image_file: Path, tmp_path: Path
) -> None:
    mask_file = tmp_path / "mask.png"
    Image.fromarray(np.eye(48, 72, dtype=bool)).save(mask_file)
    dispatcher = CeleryDispatcher(running)
    for new in (1, 0):
        marked = read_marked_images("Excavator bucket", [image_file], [mask_file])
        job_id = submit_exemplars(running, marked, source="mine", dispatcher=dispatcher)
        assert _ended(running, job_id).state == "done"
        assert result_totals(running, job_id) == {"exemplars": 1, "prototypes": 1, "new prototypes": new}
    assert bank_nouns(running)["excavator bucket"] == 1
    [found, *_] = search_bank(running, "excavator bucket", limit=2)
    assert (found["noun"], found["origin"]) == ("excavator bucket", "exemplar")
    with Image.open(running.artifacts_folder / found["mask"]) as mask:
        assert np.array_equal(np.asarray(mask)[:48, :48], np.eye(48, dtype=bool))
    assert ask_bank(running, "forget", bank="default", selection={"origin": "exemplar"}) == 1
    assert "excavator bucket" not in bank_nouns(running)


def test_a_damaged_exemplar_fails_its_item_under_the_images_own_name(running: Settings, image_file: Path) -> None:
    image_file.write_bytes(image_file.read_bytes()[:500])
    marked = MarkedImage("moon", image_file, np.ones((48, 72), dtype=bool), "a moon")
    job_id = submit_exemplars(running, [marked], source="mine", dispatcher=CeleryDispatcher(running))
    assert _ended(running, job_id).state == "failed"
    [item] = job_items(running, job_id)
    assert item.error.startswith("photo.png is cut off or damaged")
    assert _outcomes(running, job_id) == [["failed"]]


def test_an_image_is_segmented_and_exported(running: Settings, image_file: Path, tmp_path: Path) -> None:
    job_id = submit_segment(
        running,
        [image_file, image_file],
        CATEGORIES,
        overrides={"beta": 1.0, "superpixels": "none", "k": 2},
        dispatcher=CeleryDispatcher(running),
    )
    assert _ended(running, job_id).state == "done"
    first, second = export_results(running, job_id, tmp_path / "out")
    assert first.files["mask"].name == "photo.mask.png"
    assert second.files["mask"].name == "photo-2.mask.png"
    with Image.open(first.files["mask"]) as mask:
        assert mask.mode == "P"
        assert mask.size == (72, 48)
        assert set(np.unique(np.asarray(mask))) <= {0, 1}
    assert first.files["overlay"].is_file()
    result = job_items(running, job_id)[0].result
    assert result is not None
    assert [category["name"] for category in result["categories"]] == ["dog", "the rest"]
    assert (result["parameters"]["beta"], result["parameters"]["k"]) == (1.0, 2)
    assert result["parameters"]["superpixels"]["algorithm"] == "none"


def test_a_damaged_image_fails_at_once_under_its_own_name_and_can_be_retried(running: Settings, tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole.jpg", tmp_path / "damaged.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    damaged.write_bytes(whole.read_bytes()[:-1500])
    dispatcher = CeleryDispatcher(running)
    job_id = submit_segment(running, [whole, damaged], CATEGORIES, dispatcher=dispatcher)
    assert _ended(running, job_id).state == "partly failed"
    done, failed = job_items(running, job_id)
    assert (done.state, failed.state) == ("done", "failed")
    once = _outcomes(running, job_id)[1]
    assert once in (["failed"], ["handed back", "failed"])  # alone, or first together with the other one
    assert "damaged.jpg" in failed.error
    assert "artifacts" not in failed.error
    assert retry_failed_items(running, job_id, dispatcher=dispatcher) == 1
    assert _ended(running, job_id).state == "partly failed"
    assert _outcomes(running, job_id)[1] == [*once, "failed"]


def test_an_unexpected_failure_is_tried_again_and_told_in_full(
    running: Settings, image_file: Path, eventually: Eventually
) -> None:
    blocked = running.artifacts_folder / "results"
    blocked.rename(running.artifacts_folder / "results-aside") if blocked.exists() else None
    blocked.write_text("in the way")
    try:
        job_id = submit_segment(running, [image_file], CATEGORIES, dispatcher=CeleryDispatcher(running))
        eventually(lambda: job_items(running, job_id)[0].error)
        blocked.unlink()
        assert _ended(running, job_id).state == "done"
    finally:
        blocked.unlink() if blocked.is_file() else None
    assert _outcomes(running, job_id) in ([["failed", "done"]], [["failed", "failed", "done"]])
    with reading(running) as session:
        failed = select(Attempt.error).join(WorkItem).where(WorkItem.job_id == job_id, Attempt.outcome == "failed")
        assert all("Traceback" in error and "mkdir" in error for error in session.scalars(failed))
    assert (result_folder(running, job_id, 1) / "mask.png").is_file()
    line = next(
        line
        for line in running.log_file.read_text().splitlines()
        if '"event": "item failed"' in line and f'"job": "{job_id}"' in line
    )
    assert '"attempt": 1' in line
    assert '"item": ' in line


def test_a_cancelled_job_ends_early(running: Settings, captions: Captions, eventually: Eventually) -> None:
    dispatcher = CeleryDispatcher(running)
    job_id = submit_ingest(running, captions(60, "cat"), source="cats", dispatcher=dispatcher)
    eventually(lambda: job_summary(running, job_id).progress.done >= 1)
    cancel_job(running, job_id)
    progress = _ended(running, job_id).progress
    assert progress.cancelled > 0
    assert progress.done + progress.cancelled == progress.total == 30
    assert job_summary(running, job_id).state == "cancelled"
    assert len(_outcomes(running, job_id)) == progress.done


def test_an_emptied_broker_is_repaired(running: Settings, captions: Captions) -> None:
    job_id = submit_ingest(running, captions(6, "bird"), source="birds", dispatcher=CeleryDispatcher(running))
    url = running_broker_url(running)
    assert url is not None
    with redis.Redis.from_url(url) as client:
        assert client.llen("ingest") > 0
        client.flushall()
    assert _ended(running, job_id).state == "done"
    assert _outcomes(running, job_id) == [["done"]] * 3


def test_killed_workers_lose_and_repeat_nothing(
    make_settings: Callable[..., Settings],
    tiny_pack_folder: Path,
    captions: Captions,
    eventually: Eventually,
    is_alive: Callable[[int], bool],
) -> None:
    from freeda_svc.packs import load_pack  # noqa: PLC0415
    from freeda_svc.prototypes.builder import PrototypeBuilder  # noqa: PLC0415

    settings = make_settings(pack=str(tiny_pack_folder), captions_per_item=4)
    given = captions(20)
    job_id = submit_ingest(settings, given, source="dogs", dispatcher=CeleryDispatcher(settings))

    def is_amid(done: int) -> bool:
        progress = job_summary(settings, job_id).progress
        return progress.done >= done and progress.running == 1

    with background_stack(settings) as pid:
        eventually(lambda: is_amid(1))
        child = _working_process(pid)
        os.kill(child, signal.SIGKILL)  # as the kernel does when memory runs out
        eventually(lambda: is_amid(2), seconds=300)  # a new process reads its models first
        child = _working_process(pid)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not is_alive(child))  # no orphan keeps the bank
    assert job_summary(settings, job_id).progress.running == 1
    assert worker_pid(settings) is None
    assert running_broker_url(settings) is not None

    with background_stack(settings):
        assert _ended(settings, job_id).state == "done"
        nouns = bank_nouns(settings)
    outcomes = _outcomes(settings, job_id)
    assert len(outcomes) == 5
    assert all(attempts.count("done") == 1 and attempts[-1] == "done" for attempts in outcomes)
    assert sum(attempts.count("lost") for attempts in outcomes) == 2
    undisturbed = PrototypeBuilder(load_pack(str(tiny_pack_folder))).build(given).prototypes
    expected: dict[str, int] = {}
    for prototype in undisturbed:
        expected[prototype.noun] = expected.get(prototype.noun, 0) + 1
    assert nouns == dict(sorted(expected.items()))
    assert bank_stats(settings)["prototypes"] == len(undisturbed)  # the worker has gone: asked directly
    assert result_totals(settings, job_id)["prototypes"] == len(undisturbed)


def test_stopping_lets_the_item_in_hand_end_and_begins_no_other(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path, captions: Captions, eventually: Eventually
) -> None:
    settings = make_settings(pack=str(tiny_pack_folder))
    job_id = submit_ingest(settings, captions(30), source="dogs", dispatcher=CeleryDispatcher(settings))
    with background_stack(settings):
        eventually(lambda: job_summary(settings, job_id).progress.running)
    progress = job_summary(settings, job_id).progress
    assert (progress.running, progress.failed) == (0, 0)
    assert progress.done >= 1
    assert progress.queued == 30 - progress.done
    assert _outcomes(settings, job_id) == [["done"]] * progress.done


def test_an_item_that_takes_too_long_to_stop_is_handed_back(
    make_settings: Callable[..., Settings],
    tiny_pack_folder: Path,
    captions: Captions,
    eventually: Eventually,
) -> None:
    settings = make_settings(pack=str(tiny_pack_folder), stop_grace_seconds=0.2, query_timeout_seconds=0.3)
    job_id = submit_ingest(settings, captions(1), source="dog", dispatcher=CeleryDispatcher(settings))
    with background_stack(settings):
        eventually(lambda: job_summary(settings, job_id).progress.running)  # the models are being read
        with pytest.raises(UnavailableError, match="busy with a long item"):
            bank_stats(settings)
    assert job_summary(settings, job_id).progress.queued == 1
    assert _outcomes(settings, job_id) == [["handed back"]]


def test_an_item_beyond_its_time_limit_fails_and_the_worker_goes_on(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path, captions: Captions
) -> None:
    limits = {"item_time_limit_seconds": 1, "max_attempts": 1, "lease_seconds": 1}
    settings = make_settings(pack=str(tiny_pack_folder), captions_per_item=300, **limits)
    job_id = submit_ingest(settings, captions(600), source="dogs", dispatcher=CeleryDispatcher(settings))
    with background_stack(settings):
        assert _ended(settings, job_id).state == "failed"
    assert [len(attempts) for attempts in _outcomes(settings, job_id)] == [1, 1]
