import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import follow_job, job_items, submit_ingest, submit_segment
from freeda_svc.settings import Settings
from freeda_svc.workers import (
    CeleryDispatcher,
    background_stack,
    ready_worker,
    run_stack,
    run_worker,
    running_broker_url,
    worker_pid,
)
from freeda_svc.workers.broker import broker_process
from freeda_svc.workers.broker_server import start_broker
from tests.free_ports import free_port

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("untried")]
Captions = Callable[..., list[Caption]]


def test_a_stack_starts_refuses_a_second_and_stops_with_all_it_started(
    make_settings: Callable[..., Settings], described_pack: str, is_alive: Callable[[int], bool]
) -> None:
    settings = make_settings(pack=described_pack)
    with background_stack(settings) as pid:
        assert worker_pid(settings) == ready_worker(settings) == pid
        assert running_broker_url(settings) is not None
        for start in (run_stack, lambda given: background_stack(given).__enter__()):
            with pytest.raises(BusyError, match=f"^process {pid} is already the worker"):
                start(settings)
    assert not is_alive(pid)
    assert running_broker_url(settings) is None
    assert worker_pid(settings) is ready_worker(settings) is None
    assert '"event": "ready"' in settings.log_file.read_text()


def test_a_stack_stops_with_the_process_it_belongs_to(
    make_settings: Callable[..., Settings], described_pack: str, eventually: Callable[..., None]
) -> None:
    settings = make_settings(pack=described_pack)
    code = (
        "import time\nfrom freeda_svc.settings import load_settings\nfrom workers import background_stack\n"
        "with background_stack(load_settings()):\n    print('ready', flush=True)\n    time.sleep(60)"
    )
    environment = {**os.environ, **settings.as_environment()}
    owner = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        os.kill(owner.pid, signal.SIGKILL)
        eventually(lambda: worker_pid(settings) is None)
    assert running_broker_url(settings) is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_it_cleanly(
    make_settings: Callable[..., Settings], described_pack: str, eventually: Callable[..., None], how: signal.Signals
) -> None:
    settings = make_settings(pack=described_pack)
    environment = {**os.environ, **settings.as_environment()}
    with subprocess.Popen(
        [sys.executable, "-m", "freeda_svc.workers"], env=environment, start_new_session=True
    ) as process:
        eventually(lambda: ready_worker(settings) == process.pid)
        os.killpg(process.pid, how)
        assert process.wait(120) == 0
    assert running_broker_url(settings) is None
    assert '"event": "stopped"' in settings.log_file.read_text()


def test_segmentation_comes_before_ingestion_and_other_packs_are_refused(
    make_settings: Callable[..., Settings], described_pack: str, captions: Captions, tmp_path: Path
) -> None:
    from PIL import Image  # noqa: PLC0415

    other = tmp_path / "other"
    other.mkdir()
    manifest = (Path(described_pack) / "pack.toml").read_text()
    (other / "pack.toml").write_text(manifest.replace("alpha = 0.9", "alpha = 0.8"))
    Image.new("RGB", (8, 8)).save(tmp_path / "image.png")
    submitting = make_settings(pack=str(other))
    dispatcher = CeleryDispatcher(submitting)
    ingest = submit_ingest(submitting, captions(3), source="x", dispatcher=dispatcher)
    images = [tmp_path / "image.png"] * 3
    segment = submit_segment(submitting, images, [{"name": "dog"}], dispatcher=dispatcher)

    settings = make_settings(pack=described_pack)
    with background_stack(settings):
        states = [list(follow_job(settings, job_id))[-1].state for job_id in (ingest, segment)]
    assert states == ["failed", "failed"]
    items = job_items(settings, ingest) + job_items(settings, segment)
    assert {item.attempts for item in items} == {1}
    assert all(item.error.startswith(f"the job was submitted for pack {other}, this worker has") for item in items)
    begun = [line for line in settings.log_file.read_text().splitlines() if '"event": "item begun"' in line]
    assert ['"kind": "segment"' in line for line in begun] == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"broker_url": "redis://:secret@127.0.0.1:1/0"}, UnavailableError, "127.0.0.1:1/0 does not answer"),
        ({"pack": "nothing"}, NotFoundError, "nothing"),
        ({"database_url": "postgresql+psycopg://me@127.0.0.1:1/x"}, UnavailableError, "does not answer"),
    ],
)
def test_what_is_missing_is_reported_in_one_line(
    make_settings: Callable[..., Settings],
    described_pack: str,
    given: dict[str, str],
    kind: type[FreedaError],
    message: str,
) -> None:
    settings = make_settings(**{"pack": described_pack, **given})
    with pytest.raises(kind, match=message) as caught:
        run_stack(settings)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert worker_pid(settings) is None


def test_a_worker_alone_needs_a_broker(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(InputError, match="broker_url"):
        run_worker(make_settings())


def test_a_stack_that_does_not_start_says_why(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(pack="nothing")
    with pytest.raises(UnavailableError, match=r"the worker does not start: .*nothing"), background_stack(settings):
        pass
    assert worker_pid(settings) is None


def test_a_broker_that_outlived_its_supervisor_is_taken_over(
    make_settings: Callable[..., Settings], described_pack: str
) -> None:
    settings = make_settings(pack=described_pack)
    url = start_broker(settings)
    with background_stack(settings):
        assert running_broker_url(settings) == url
    assert running_broker_url(settings) is None


def _below(pid: int, what: bytes) -> list[int]:
    """The processes below another in whose command something stands."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and what in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
    return found


def test_a_console_for_machines_is_json_throughout_and_a_killed_pool_comes_back(
    make_settings: Callable[..., Settings], described_pack: str, eventually: Callable[..., None]
) -> None:
    """Killed with the tracker of its semaphores: making the next working process needs one."""
    settings = make_settings(pack=described_pack, log_format="json")
    with _up(settings) as process:
        eventually(lambda: ready_worker(settings) == process.pid)
        killed = [*_below(process.pid, b"semaphore_tracker"), *_below(process.pid, b"spawn_main")]
        assert len(killed) == 2
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: set(_below(process.pid, b"spawn_main")) - set(killed))
        eventually(lambda: ready_worker(settings) == process.pid)
        os.kill(process.pid, signal.SIGUSR1)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert {"ready", "the tracker of semaphores is gone: it is started again", "what all threads do", "stopped"} <= set(
        events
    )
    assert any("exited with 'signal 9 (SIGKILL)'" in event for event in events)
    assert events[-1] == "Stopped; what is queued waits for the next `freeda up`."
    assert not any("Warm shutdown" in event for event in events)


def test_a_stack_stops_with_its_broker_though_that_is_frozen(
    make_settings: Callable[..., Settings], described_pack: str, eventually: Callable[..., None]
) -> None:
    settings = make_settings(pack=described_pack)
    with _up(settings) as process:
        eventually(lambda: ready_worker(settings) == process.pid)
        broker = broker_process(settings)
        assert broker
        os.kill(broker, signal.SIGSTOP)
        process.terminate()
        process.communicate(timeout=200)
        assert process.returncode == 0
    assert broker_process(settings) is None


def test_people_read_that_it_is_ready_where_the_page_is_and_what_to_type_next(
    make_settings: Callable[..., Settings], described_pack: str, eventually: Callable[..., None]
) -> None:
    settings = make_settings(pack=described_pack, api_port=free_port())
    with _up(settings) as process:
        eventually(lambda: ready_worker(settings) == process.pid)
        process.terminate()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert f"Ready, with the pack {described_pack} and the home {settings.home}. Ctrl-C stops it.\n" in out
    assert f"In a browser: http://127.0.0.1:{settings.api_port}/\n" in out
    assert f"  freeda --home {settings.home} logs --follow\n" in out
    assert "Connected to" not in err


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_keeps_it_from_starting_is_reported_in_the_same_way(
    make_settings: Callable[..., Settings], log_format: str
) -> None:
    with _up(make_settings(pack="nothing", log_format=log_format)) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    told = json.loads(err)["event"] if log_format == "json" else err
    assert told.startswith("Error: there is no pack 'nothing'")


@contextlib.contextmanager
def _up(settings: Settings) -> Iterator["subprocess.Popen[str]"]:
    """``freeda up`` beside the test, gone with it."""
    process = subprocess.Popen(
        [Path(sys.executable).parent / "freeda", "up"],
        env={**os.environ, **settings.as_environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
