"""Measurements of a worker: added up from reports, looked up in database and broker, answered over HTTP."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import follow_job, submit_ingest
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher, background_stack
from freeda_svc.workers.broker_server import start_broker, stop_broker
from freeda_svc.workers.metrics import WorkerMetrics
from freeda_svc.workers.metrics_reports import (
    PERFORM,
    STORE,
    Report,
    gpu_memory,
    measured_item,
    note_bank,
    read_report,
    send_report,
    stage,
)
from freeda_svc.workers.metrics_server import measuring
from freeda_svc.workers.metrics_state import GAUGES, StateWatch, look
from tests.free_ports import free_port
from tests.workers.conftest import UNTRIED

Eventually = Callable[..., None]
Scraped = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_a_report_arrives_as_it_was_sent(tmp_path: Path) -> None:
    report = Report(kind="ingest", again=True, outcome="done", seconds={"claim": 0.5}, banks={"a@1": 3})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        address = str(tmp_path / "socket")
        receiver.bind(address)
        send_report(address, report)
        receiver.settimeout(5)
        assert read_report(receiver.recv(10000)) == report


def test_work_goes_on_when_nobody_listens(tmp_path: Path) -> None:
    send_report("", Report())
    send_report(str(tmp_path / "nobody"), Report())


def test_stages_are_timed_in_the_item_in_hand_even_when_they_fail() -> None:
    report = Report(kind="ingest")
    with measured_item(report):
        with pytest.raises(KeyError), stage(STORE):
            raise KeyError
        with stage(STORE):
            pass
        note_bank("animals@1", lambda: 7)
    with stage(PERFORM):
        note_bank("animals@2", lambda: 8)
    assert set(report.seconds) == {STORE}
    assert report.banks == {"animals@1": 7}


def test_a_bank_whose_size_is_not_known_is_left_out() -> None:
    def fails() -> int:
        raise UnavailableError("away")

    report = Report()
    with measured_item(report):
        note_bank("animals@1", fails)
    assert report.banks == {}


@pytest.mark.parametrize(
    ("result", "images"),
    [({"images": 8, "captions": 8}, 8), ({"exemplars": 2}, 2), ({"categories": []}, 1)],
)
def test_what_was_made_is_read_from_the_result(result: dict[str, object], images: int) -> None:
    report = Report()
    report.count_result({**result, "new prototypes": 5, "prototypes": 9})
    assert (report.images, report.prototypes) == (images, 5)


def test_reports_add_up_also_when_the_working_process_is_replaced(settings: Settings) -> None:
    metrics = WorkerMetrics(settings, ["ingest"])
    ended = Report(
        process=1, kind="ingest", outcome="done", seconds={"perform": 3.0}, prototypes=5, images=2, renewals=2
    )
    metrics.add(Report(process=1))
    metrics.add(ended)
    metrics.add(Report(process=2))
    metrics.add(Report(process=2, kind="ingest", again=True, outcome="done", seconds={"perform": 1.0}, prototypes=1))
    metrics.add(Report(process=2, kind="segment", outcome="failed", renewals_failed=1, banks={"a@1": 6}))
    found = metrics.registry
    assert _sample(found, "freeda_prototypes_total", kind="ingest") == 6
    assert _sample(found, "freeda_images_total", kind="ingest") == 2
    assert _sample(found, "freeda_attempts_total", kind="ingest", outcome="done") == 2
    assert _sample(found, "freeda_attempts_total", kind="segment", outcome="failed") == 1
    assert _sample(found, "freeda_repeated_attempts_total", kind="ingest") == 1
    assert _sample(found, "freeda_stage_seconds_sum", kind="ingest", stage="perform") == 4
    assert _sample(found, "freeda_stage_seconds_count", kind="ingest", stage="perform") == 2
    assert _sample(found, "freeda_lease_renewals_total", outcome="renewed") == 2
    assert _sample(found, "freeda_lease_renewals_total", outcome="failed") == 1
    assert _sample(found, "freeda_bank_prototypes", bank="a@1") == 6
    assert _sample(found, "freeda_child_starts_total") == 2


def test_memory_of_a_card_is_that_of_the_process_that_uses_it(settings: Settings) -> None:
    metrics = WorkerMetrics(settings, ["ingest"])
    metrics.add(Report(process=1, kind="ingest", outcome="done", gpu_bytes={"0": [10, 80]}))
    assert _sample(metrics.registry, "freeda_gpu_memory_bytes", device="0", what="used") == 10
    assert _sample(metrics.registry, "freeda_gpu_memory_bytes", device="0", what="total") == 80
    metrics.add(Report(process=2))
    assert _sample(metrics.registry, "freeda_gpu_memory_bytes", device="0", what="used") is None


def test_only_cards_in_use_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        device_count=lambda: 2,
        memory_reserved=lambda device: 5 * device,
        mem_get_info=lambda device: (30, 80),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert gpu_memory() == {"1": [50, 80]}
    cuda.is_initialized = lambda: False
    assert gpu_memory() == {}
    monkeypatch.delitem(sys.modules, "torch")
    assert gpu_memory() == {}


def _seen(samples: list[tuple[str, dict[str, str], float]], name: str, **labels: str) -> list[float]:
    return [value for found, given, value in samples if found == name and given == labels]


def test_what_waits_is_seen_and_left_for_other_workers(
    make_settings: Callable[..., Settings], described_pack: str, captions: Callable[..., list[Caption]]
) -> None:
    settings = make_settings(pack=described_pack, reconcile_seconds=60)
    url = start_broker(settings)
    submit_ingest(settings, captions(3), source="x", dispatcher=CeleryDispatcher(settings))
    samples = look(settings, url)
    assert _seen(samples, "freeda_items", kind="ingest", state="queued") == [3]
    assert _seen(samples, "freeda_items", kind="segment", state="queued") == [0]
    assert _seen(samples, "freeda_jobs", state="queued") == [1]
    assert _seen(samples, "freeda_queue_messages", kind="ingest") == [3]
    [age] = _seen(samples, "freeda_oldest_waiting_seconds", kind="ingest")
    assert 0 < age < 60
    assert _seen(samples, "freeda_oldest_waiting_seconds", kind="segment") == [0]
    assert _seen(samples, "freeda_attempts_recent", kind="ingest", outcome="lost") == [0]
    assert _seen(samples, "freeda_database_up") == _seen(samples, "freeda_broker_up") == [1]
    assert _seen(samples, "freeda_bank_up") == []
    assert {name for name, _, _ in samples} | {"freeda_bank_up"} == set(GAUGES)

    submit_ingest(settings, captions(2, "cat"), source="x", dispatcher=CeleryDispatcher(settings))
    again = look(settings, url)
    assert _seen(again, "freeda_items", kind="ingest", state="queued") == [3]
    assert _seen(again, "freeda_queue_messages", kind="ingest") == [5]


def test_parts_that_do_not_answer_are_reported(make_settings: Callable[..., Settings], described_pack: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    url = f"redis://:secret@{nobody}/0"
    settings = make_settings(
        pack=described_pack,
        broker_url=url,
        qdrant_url=f"http://{nobody}",
        database_url=f"postgresql+psycopg://me:secret@{nobody}/x",
    )
    names = ("freeda_database_up", "freeda_broker_up", "freeda_bank_up")
    assert sorted(look(settings, url)) == sorted((name, {}, 0) for name in names)


def test_a_registry_shows_what_was_seen_last(settings: Settings, eventually: Eventually) -> None:
    watch = StateWatch(settings, start_broker(settings))
    registry = CollectorRegistry()
    registry.register(watch)
    assert _sample(registry, "freeda_broker_up") is None
    watch.start()
    try:
        eventually(lambda: _sample(registry, "freeda_broker_up") == 1)
        stop_broker(settings)
        eventually(lambda: _sample(registry, "freeda_broker_up") == 0)
        assert _sample(registry, "freeda_items", kind="ingest", state="queued") == 0
    finally:
        watch.stop()


def test_nothing_listens_unless_a_port_is_given(settings: Settings) -> None:
    with measuring(settings, "redis://127.0.0.1:1", ["ingest"], settings.locks_folder) as measured:
        assert measured.address == ""


def test_health_is_reported_and_a_port_that_is_taken_is_reported_in_one_line(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(metrics_port=free_port())
    address = f"http://127.0.0.1:{settings.metrics_port}"
    with measuring(settings, "redis://127.0.0.1:1", ["ingest"], settings.locks_folder) as measured:
        assert httpx.get(f"{address}/health/live").status_code == 200
        assert httpx.get(f"{address}/health/ready").status_code == 503
        assert "is starting" in httpx.get(f"{address}/health/ready").json()["because"]
        measured.set_reason("")
        assert httpx.get(f"{address}/health/ready").json() == {"takes items": True}
        assert httpx.get(f"{address}/other").status_code == 404
        with (
            pytest.raises(
                UnavailableError, match=rf"^metrics_port {settings.metrics_port} at 127.0.0.1 cannot be bound"
            ),
            measuring(settings, "redis://127.0.0.1:1", ["ingest"], settings.locks_folder),
        ):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health/live")


@pytest.fixture
def scrape() -> Callable[[Settings], Scraped]:
    def get(settings: Settings) -> Scraped:
        answer = httpx.get(f"http://127.0.0.1:{settings.metrics_port}/metrics", headers={"Accept": "text/plain"})
        assert answer.status_code == 200
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return get


MEASURED_WORK = f"""{UNTRIED}
import freeda_svc.workers.performing
from freeda_svc.workers.metrics_reports import STORE, note_bank, stage

def perform(held, claim):
    with stage(STORE):
        note_bank("default@1", lambda: 8)
    return {{"images": len(claim.input["captions"]), "new prototypes": 2 * len(claim.input["captions"])}}

freeda_svc.workers.performing.perform = perform
"""


@pytest.fixture
def measured_work(run_first: Callable[[str], None]) -> None:
    """Workers do nothing for an item but measure it."""
    run_first(MEASURED_WORK)


@pytest.mark.end_to_end
@pytest.mark.usefixtures("measured_work")
def test_a_running_stack_tells_what_it_does(
    make_settings: Callable[..., Settings],
    described_pack: str,
    captions: Callable[..., list[Caption]],
    eventually: Eventually,
    scrape: Callable[[Settings], Scraped],
) -> None:
    settings = make_settings(pack=described_pack, metrics_port=free_port(), captions_per_item=2)

    def value(name: str, **labels: str) -> float | None:
        return scrape(settings).get((name, tuple(sorted(labels.items()))))

    def ingest(count: int, thing: str) -> None:
        texts = captions(count, thing)
        job_id = submit_ingest(settings, texts, source="x", dispatcher=CeleryDispatcher(settings))
        *_, last = follow_job(settings, job_id, every_seconds=0.05)
        assert last.state == "done"

    with background_stack(settings) as pid:
        assert httpx.get(f"http://127.0.0.1:{settings.metrics_port}/health/ready").status_code == 200
        ingest(4, "dog")
        eventually(lambda: value("freeda_attempts_total", kind="ingest", outcome="done") == 2)
        assert value("freeda_prototypes_total", kind="ingest") == 8
        assert value("freeda_images_total", kind="ingest") == 4
        assert value("freeda_bank_prototypes", bank="default@1") == 8
        for stage_name in ("claim", "perform", "store", "record"):
            assert value("freeda_stage_seconds_count", kind="ingest", stage=stage_name) == 2
        eventually(lambda: value("freeda_attempts_recent", kind="ingest", outcome="done") == 2)
        assert value("freeda_items", kind="ingest", state="queued") == 0
        assert value("freeda_database_up") == value("freeda_broker_up") == 1

        [child] = [
            int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if _is_child(name)
        ]
        os.kill(child, signal.SIGKILL)
        ingest(2, "cat")
        eventually(lambda: value("freeda_attempts_total", kind="ingest", outcome="done") == 3)
        assert value("freeda_prototypes_total", kind="ingest") == 12
        assert value("freeda_child_starts_total") == 2


def _is_child(pid: str) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
