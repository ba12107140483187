"""Brokers that are there and answer with an error: a worker waits for them as for one that is away."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from freeda_svc.captions.caption import make_caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind, follow_job, job_items, job_summary, submit_ingest
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher, background_stack, ready_worker, worker_pid
from freeda_svc.workers.reconciler import reconcile
from tests.tcp_broker import tcp_broker

Eventually = Callable[..., None]
Command = tuple[str | int, ...]
REFUSALS: dict[str, tuple[Command, Command, str]] = {
    "a read-only replica after a failover": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE"), "read only"),
    "too few replicas": (("CONFIG", "SET", "min-replicas-to-write", 1), ("CONFIG", "SET", "min-replicas-to-write", 0),
                         "NOREPLICAS"),
    "no memory left": (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0), "maxmemory"),
}  # fmt: skip


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A broker that no worker starts or stops."""
    with tcp_broker(tmp_path / "broker") as url:
        yield url


class _Refusal(NamedTuple):
    broker: str
    harm: Callable[[], None]
    heal: Callable[[], None]
    said: str


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS)
def refusal(request: pytest.FixtureRequest, broker: str) -> Iterator[_Refusal]:
    """What makes the broker refuse, what heals it, and what it says in between."""
    harm, heal, said = request.param

    def tell(command: Command) -> None:
        with redis.Redis.from_url(broker) as client:
            client.execute_command(*command)

    yield _Refusal(broker, lambda: tell(harm), lambda: tell(heal), said)
    with contextlib.suppress(redis.RedisError):
        tell(heal)


def _waits(settings: Settings, said: str) -> bool:
    """Whether the log says that the worker waits for the broker, and why."""
    return any(said in line and "Trying again" in line for line in settings.log_file.read_text().splitlines())


@pytest.mark.end_to_end
def test_a_worker_waits_for_a_broker_that_refuses(
    make_settings: Callable[..., Settings],
    described_pack: str,
    fake_work: Path,
    refusal: _Refusal,
    eventually: Eventually,
) -> None:
    settings = make_settings(pack=described_pack, broker_url=refusal.broker)
    texts = ("a slow cat", "a dog", "a cow")
    captions = [caption for text in texts if (caption := make_caption(text)) is not None]
    job_id = submit_ingest(settings, captions, source="x", dispatcher=CeleryDispatcher(settings))
    with background_stack(settings) as pid:
        eventually(lambda: job_summary(settings, job_id).progress.running)
        refusal.harm()
        eventually(lambda: _waits(settings, refusal.said))
        assert job_summary(settings, job_id).state == "running"
        refusal.heal()
        *_, last = follow_job(settings, job_id)
        assert last.state == "done"
        assert worker_pid(settings) == pid
    assert {item.attempts for item in job_items(settings, job_id)} == {1}


def test_who_sends_to_a_broker_that_refuses_is_reported_what_it_says(
    make_settings: Callable[..., Settings], refusal: _Refusal
) -> None:
    settings = make_settings(broker_url=refusal.broker)
    dispatcher = CeleryDispatcher(settings)
    dispatcher.send(JobKind.INGEST, [1])  # on a connection that was good
    refusal.harm()
    with pytest.raises(UnavailableError, match=f"^the broker .* refuses: .*{refusal.said}"):
        dispatcher.send(JobKind.INGEST, [2])
    with pytest.raises(UnavailableError, match=f"^the broker .* refuses: .*{refusal.said}"):
        reconcile(settings, refusal.broker, at_start=True)


@pytest.mark.end_to_end
def test_an_end_that_nobody_asked_for_has_an_exit_code_and_a_reason(
    make_settings: Callable[..., Settings], described_pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import freeda_svc.workers.celery_worker as worker\n"
        "def connect(self):\n    raise ZeroDivisionError('of a mistake')\n"
        "worker.PatientConsumer.connect = connect\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    settings = make_settings(pack=described_pack)
    ran = subprocess.run(
        [Path(sys.executable).parent / "freeda", "up"],
        env={**os.environ, **settings.as_environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1] == "Error: the worker ended by itself: ZeroDivisionError: of a mistake"
    assert ready_worker(settings) is None
