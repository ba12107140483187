import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import freeda_svc.workers.performing
from benchmarks.queue_load import bare_celery, idle_worker, volume
from benchmarks.queue_load.flow import Flow, beginning_of_a_long_job, whole_job
from benchmarks.queue_load.installation import BROKER, WORKER, captions, on_sqlite
from benchmarks.queue_load.processor_time import CLIENT, processor_seconds
from benchmarks.queue_load.recovery import seconds_after_working_process_killed
from freeda_svc.settings import load_settings
from freeda_svc.workers.app import make_app

BUSY = "import time\nwhile time.process_time() < {seconds}: pass\nprint(flush=True)\ninput()"
BUSY_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}.format(seconds=0.5)], check=True)"


def _run(code: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it has done its work
    return process


def test_processor_time_is_that_of_a_process_and_of_those_below_it() -> None:
    alone, above = _run(BUSY.format(seconds=0.3)), _run(BUSY_CHILD)
    try:
        found = processor_seconds({"alone": alone.pid, "above": above.pid})
        whole = processor_seconds({"all": os.getpid(), "alone": alone.pid})
    finally:
        for process in (alone, above):
            process.communicate(b"\n")
    assert found["alone"] >= 0.29
    assert found["above"] >= 0.49
    assert found[CLIENT] == pytest.approx(time.process_time(), abs=1.0)
    assert whole["alone"] == pytest.approx(found["alone"], abs=0.1)  # to the nearest part above it, and to no other
    assert whole["all"] >= found["above"]


def test_the_total_is_that_of_all_parts() -> None:
    assert Flow(200.0, {"worker": 3.0, "broker": 0.5}).total_ms == 3.5


def test_volumes_are_differences_an_item() -> None:
    assert volume.an_item({"rows": 100.0}, {"rows": 160.0}, 10) == {"rows": 6.0}


def test_captions_make_an_item_each_however_often_they_are_made() -> None:
    made = [caption.id for _ in range(2) for caption in captions(50)]
    assert len(set(made)) == 100


def test_celery_alone_has_the_options_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path))
    url = "redis://127.0.0.1:1/0"
    bare, ours = bare_celery.bare_app(url), make_app(load_settings(broker_url=url), url)
    options = (
        "task_acks_late",
        "worker_prefetch_multiplier",
        "worker_pool",
        "worker_concurrency",
        "task_ignore_result",
    )
    assert {name: bare.conf[name] for name in options} == {name: ours.conf[name] for name in options}
    assert not any("freeda_svc.workers.tasks" in name for name in bare.conf.include)


@pytest.mark.end_to_end
def test_items_flow_through_real_processes_and_one_that_was_killed_is_done_again(tmp_path: Path) -> None:
    with on_sqlite(tmp_path / "short") as installation:
        installation.start_worker()
        flow = whole_job(installation, 20)
        assert flow.items_per_second > 0
        assert set(flow.processor_ms) == {WORKER, BROKER, CLIENT}
        assert flow.processor_ms[WORKER] > 0
        assert seconds_after_working_process_killed(installation) > 0
    with on_sqlite(tmp_path / "long") as installation:
        assert beginning_of_a_long_job(installation, 300, 20).items_per_second > 0


def test_items_do_nothing_in_a_process_that_was_started_for_it_only() -> None:
    assert freeda_svc.workers.performing.perform is not idle_worker.perform_nothing
