"""Whose fault it is that an item was not done; the working process is this one."""

import errno
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select

from freeda_svc.artifacts import StorageUnavailableError
from freeda_svc.bank import BankName
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.qdrant.server import create_collection
from freeda_svc.captions.caption import Caption
from freeda_svc.errors import BusyError, InputError, UnavailableError
from freeda_svc.jobs import JobKind, Move, cancel_job, job_items, submit_ingest, submit_move
from freeda_svc.jobs.claims import Claim, JobCancelledError
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt
from freeda_svc.settings import Settings
from freeda_svc.workers import ability, becoming_able, child, faults, tasks
from freeda_svc.workers.ability import begin_ability, read_ability
from freeda_svc.workers.app import QUEUES_KEY, SETTINGS_KEY
from freeda_svc.workers.backoff import Backoff
from freeda_svc.workers.messages import QUEUES
from freeda_svc.workers.metrics_reports import gpu_memory
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.trial import Tried
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant.stub_server import API_KEY, StubServer

Captions = Callable[..., list[Caption]]


class NoDispatcher:
    def check(self) -> None: ...

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        return False


class Process:
    """The working process: what it raises for an item, what it finds when it tries itself, how it waited."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.raises: list[BaseException] = []
        self.broken: list[list[Tried]] = []
        self.waited: list[float] = []

    def perform(self, _held: object, _claim: Claim) -> dict[str, Any]:
        if self.raises:
            raise self.raises.pop(0)
        return {}

    def try_parts(self, *_given: object, **_named: object) -> list[Tried]:
        return self.broken.pop(0) if self.broken else []

    def message(self) -> None:
        conf = {SETTINGS_KEY: self.settings.model_dump(mode="json"), QUEUES_KEY: QUEUES, child.REPORTS_KEY: ""}
        tasks.run_waiting_items(SimpleNamespace(app=SimpleNamespace(conf=conf)), 1)


@pytest.fixture
def process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    made = Process(settings)
    begin_ability(settings, 1)
    ability.write_ability(settings, ability.Ability(1, able=True, started=True))
    monkeypatch.setattr(tasks, "perform", made.perform)
    monkeypatch.setattr(tasks, "BURST_SECONDS", 0.0)
    monkeypatch.setattr(faults, "try_parts", made.try_parts)
    monkeypatch.setattr(becoming_able, "try_parts", made.try_parts)
    monkeypatch.setattr(becoming_able, "Backoff", lambda **given: Backoff(made.waited.append, **given))
    yield made
    child.end_process()


@pytest.fixture
def job_id(settings: Settings, captions: Captions) -> str:
    return submit_ingest(settings, captions(1), source="test", dispatcher=NoDispatcher())


def _outcomes(settings: Settings) -> list[str]:
    with reading(settings) as session:
        return list(session.scalars(select(Attempt.outcome).order_by(Attempt.number)))


def _broken(part: str, message: str) -> list[Tried]:
    return [Tried(part, works=False, message=message, passes=True)]


@pytest.mark.parametrize(
    ("error", "state", "attempts"),
    [
        (UnavailableError("the archive cannot be written"), "failed", 1),
        (BusyError("the bank is held by another"), "failed", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "failed", 3),
        (JobCancelledError(), "cancelled", 1),
        (SoftTimeLimitExceeded(), "queued", 3),
    ],
)
def test_what_keeps_a_bank_from_being_moved_is_the_moves_own(
    process: Process, settings: Settings, error: Exception, state: str, attempts: int
) -> None:
    move = Move(JobKind.EXPORT, "boats@1", {"folder": "/a"})
    job_id = submit_move(settings, move, pack="the pack", prototypes=1, dispatcher=NoDispatcher())
    process.raises = [error] * 5
    process.message()
    if state == "cancelled":  # of a job that was not, the item waits
        assert job_items(settings, job_id)[0].state == "queued"
        cancel_job(settings, job_id)
    else:
        process.message()
        process.message()
    [item] = job_items(settings, job_id)
    assert (item.state, item.attempts) == (state, attempts)
    assert set(_outcomes(settings)) == {"failed" if state == "failed" else "handed back"}
    assert process.waited == []


def test_a_move_waits_for_the_storage_of_artifacts(process: Process, settings: Settings) -> None:
    move = Move(JobKind.IMPORT, "boats@1", {"archive": "/a"})
    job_id = submit_move(settings, move, pack="the pack", prototypes=1, dispatcher=NoDispatcher())
    attempts = settings.max_attempts + 1
    process.raises = [StorageUnavailableError("the artifacts at s3://a cannot be used")] * attempts
    process.broken = [[*_broken("folders", "the artifacts at s3://a cannot be used")], []] * attempts
    for number in range(attempts):
        process.message()
        [item] = job_items(settings, job_id)
        assert (item.state, item.attempts) == ("queued", number + 1)
        assert read_ability(settings).able  # it has waited until the storage answered
    assert len(process.waited) == 2 * attempts
    process.message()
    assert job_items(settings, job_id)[0].state == "done"
    assert _outcomes(settings) == ["handed back"] * attempts + ["done"]


def test_a_time_limit_that_a_library_wraps_is_the_items_own(process: Process, settings: Settings, job_id: str) -> None:
    error = RuntimeError("Failed to import a module because of the following error")
    error.__cause__ = SoftTimeLimitExceeded()
    process.raises = [error]
    process.broken = [_broken("models", "half imported")]
    process.message()
    [item] = job_items(settings, job_id)
    assert (item.state, item.attempts, item.error) == ("queued", 1, "took longer than item_time_limit_seconds allows")
    assert _outcomes(settings) == ["failed"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        UnavailableError("the bank does not answer"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.EMFILE, "Too many open files"),
    ],
)
def test_an_item_is_not_to_blame_for_what_names_its_cause(
    process: Process, settings: Settings, job_id: str, error: Exception
) -> None:
    process.raises = [error] * 5
    for _ in range(5):
        process.message()
    [item] = job_items(settings, job_id)
    assert (item.state, item.attempts) == ("queued", 5)
    assert _outcomes(settings) == ["handed back"] * 5
    assert len(process.waited) == 5
    process.message()
    assert job_items(settings, job_id)[0].state == "done"
    assert read_ability(settings).faults == 0


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: device-side assert triggered"),
    ],
)
def test_a_device_that_failed_is_used_again_by_another_process_only(
    process: Process, settings: Settings, job_id: str, error: Exception
) -> None:
    process.raises = [error]
    with pytest.raises(SystemExit):
        process.message()
    found = read_ability(settings)
    assert found is not None
    assert (found.able, found.faults, found.refused) == (False, 1, False)
    assert "the device failed" in found.reason
    assert _outcomes(settings) == ["handed back"]
    process.message()  # as the next process would
    assert read_ability(settings).able
    assert job_items(settings, job_id)[0].state == "done"


def test_an_item_that_breaks_a_device_that_works_is_set_aside_in_the_end(
    process: Process, settings: Settings, job_id: str
) -> None:
    attempts = 2 * settings.max_attempts
    process.raises = [torch.AcceleratorError("CUDA error: device-side assert triggered") for _ in range(attempts)]
    for number in range(attempts):
        if number < settings.max_attempts:
            with pytest.raises(SystemExit):
                process.message()
        else:
            process.message()
    assert _outcomes(settings) == ["handed back"] * settings.max_attempts + ["failed"] * settings.max_attempts
    assert job_items(settings, job_id)[0].state == "failed"


@pytest.mark.parametrize("error", [InputError("the image is not there"), ValueError("shapes differ")])
def test_while_a_part_is_broken_no_failure_counts(
    process: Process, settings: Settings, job_id: str, error: Exception
) -> None:
    process.raises = [error]
    process.broken = [_broken("folders", "the folder of artifacts is gone")] * 3
    process.message()
    [item] = job_items(settings, job_id)
    assert (item.state, item.attempts) == ("queued", 1)
    assert _outcomes(settings) == ["handed back"]
    assert read_ability(settings).able  # it has waited until all parts worked
    process.message()
    assert job_items(settings, job_id)[0].state == "done"


@pytest.mark.parametrize(
    ("error", "state"), [(InputError("photo.png is damaged"), "failed"), (ValueError("shapes differ"), "queued")]
)
def test_while_all_parts_work_the_item_is_to_blame(
    process: Process, settings: Settings, job_id: str, error: Exception, state: str
) -> None:
    process.raises = [error]
    process.message()
    assert _outcomes(settings) == ["failed"]
    assert job_items(settings, job_id)[0].state == state
    assert process.waited == []


@pytest.mark.parametrize(("others", "is_to_blame"), [(70, False), (2, True)])
def test_who_runs_out_of_a_cards_memory_alone_is_to_blame(
    process: Process,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    *,
    job_id: str,
    others: int,
    is_to_blame: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _card: 20)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _card: (100 - 20 - others, 100))
    process.raises = [torch.OutOfMemoryError("CUDA out of memory")]
    process.message()
    assert _outcomes(settings) == ["failed" if is_to_blame else "handed back"]
    assert job_items(settings, job_id)[0].state == "queued"


def test_a_card_that_does_not_even_tell_its_memory_is_left_to_another_process(
    process: Process, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, job_id: str
) -> None:
    def fail(_card: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _card: 20)
    monkeypatch.setattr(torch.cuda, "mem_get_info", fail)
    process.raises = [torch.OutOfMemoryError("CUDA out of memory")]
    with pytest.raises(SystemExit):
        process.message()
    assert _outcomes(settings) == ["handed back"]
    assert gpu_memory() == {}


def test_an_item_waits_for_a_bank_that_another_worker_is_making(
    process: Process,
    make_settings: Callable[..., Settings],
    captions: Captions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server knows the collection already, but not its shards."""
    collection, ready = "freeda-default.v1", False
    server = StubServer(LocalConnection().client())

    def answer(method: str, path: str, content: bytes) -> tuple[int, dict[str, str], bytes] | None:
        if (method, path) == ("PUT", f"/collections/{collection}") and not ready:  # the other worker was faster
            create_collection(server.client, collection, new_manifest("f", 3, 2))
        if path.startswith(f"/collections/{collection}/points") and not ready:
            return 500, {}, b'{"status": {"error": "Service internal error: 0 of 0 read operations failed"}}'
        return None

    def perform(resources: Resources, claim: Claim) -> dict[str, Any]:
        resources.__dict__["pack"] = SimpleNamespace(
            encoders_fingerprint="f",
            description=SimpleNamespace(fits={"f"}.__contains__),
            image_text=SimpleNamespace(dimension=3),
            backbone=SimpleNamespace(dimension=2),
        )
        return {"prototypes": resources.bank(BankName("default", 1)).count()}

    server.refuse = answer
    server.start()
    try:
        settings = make_settings(qdrant_url=f"http://127.0.0.1:{server.port}", qdrant_api_key=API_KEY)
        monkeypatch.setattr(tasks, "perform", perform)
        process.settings = settings
        job_id = submit_ingest(settings, captions(1), source="test", dispatcher=NoDispatcher())
        for _ in range(settings.max_attempts + 1):
            process.message()
        assert job_items(settings, job_id)[0].state == "queued"
        assert set(_outcomes(settings)) == {"handed back"}
        ready = True
        process.message()
        assert job_items(settings, job_id)[0].state == "done"
    finally:
        server.stop()
