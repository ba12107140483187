"""Waiting for a job: Ctrl-C counts also where Python drops the exception, and a missing worker is reported."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freeda_svc import jobs, migrations
from freeda_svc.cli.backends.local import LocalBackend
from freeda_svc.cli.following import follow_job
from freeda_svc.cli.worker_watch import ABSENT_SECONDS, IDLE_SECONDS, WorkerWatch
from freeda_svc.settings import Settings, load_settings


def test_an_interrupt_lost_in_a_finaliser_still_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def look_for_ever(
        _look: Callable[[], object], *, every_seconds: float, wait: Callable[[float], object]
    ) -> Iterator[None]:
        nonlocal looks
        while True:
            looks += 1
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:  # as the interpreter does with what a finaliser raises
                assert every_seconds > 0
                assert callable(wait)
            yield None

    monkeypatch.setattr(jobs, "follow_looks", look_for_ever)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        follow_job(LocalBackend(load_settings(home=tmp_path)), "0123456789ab", "ingest", quiet=True)
    assert looks == 1
    assert signal.getsignal(signal.SIGINT) is before


class Moments:
    """A clock that is set by hand, and a worker that is there or not."""

    def __init__(self) -> None:
        self.now, self.reason = 0.0, ""

    def watch(self, settings: Settings) -> WorkerWatch:
        return WorkerWatch(settings, missing=lambda: self.reason, clock=lambda: self.now)


def test_a_worker_that_is_not_there_is_said_once_and_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = Moments()
    moments.reason = "none is there"
    watch = moments.watch(load_settings(home=tmp_path))
    for moments.now in (0.0, 1.0, 100.0):
        watch.look((0, 3))
    assert capsys.readouterr().err == "none is there\n"


def test_a_worker_that_stops_meanwhile_is_said_after_a_moment_and_again_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = Moments()
    watch = moments.watch(load_settings(home=tmp_path))
    watch.look((0, 3))
    for start in (100.0, 200.0):
        moments.now, moments.reason = start, "it has stopped"
        watch.look((1, 3))
        moments.now = start + ABSENT_SECONDS - 1
        watch.look((1, 3))
        assert capsys.readouterr().err == ""  # it may be restarted
        moments.now = start + ABSENT_SECONDS
        watch.look((1, 3))
        watch.look((1, 3))
        assert capsys.readouterr().err == "it has stopped\n"
        moments.reason = ""
        watch.look((1, 3))


def test_on_a_broker_of_ones_own_it_is_said_when_nothing_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(home=tmp_path, broker_url="redis://127.0.0.1:1/0")
    migrations.upgrade(settings)
    moments = Moments()
    watch = moments.watch(settings)
    watch.look((0, 3))
    moments.now = IDLE_SECONDS - 1
    watch.look((1, 3))  # an item has ended, so somebody works
    moments.now = 2 * IDLE_SECONDS - 2
    watch.look((1, 3))
    assert capsys.readouterr().err == ""
    moments.now = 2 * IDLE_SECONDS
    watch.look((1, 3))
    moments.now += ABSENT_SECONDS
    watch.look((1, 3))
    assert capsys.readouterr().err == (
        "No item has begun for 10 s and none is in work: if no worker runs on this broker, start one with "
        "`freeda worker`.\n"
    )
