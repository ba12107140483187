"""Who follows a job is woken by what the worker tells; without a broker it goes on looking."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.changes import ChangeNotifier, ChangeWatch, watched_changes
from tests.tcp_broker import tcp_broker

JOB, OTHER = "0123456789ab", "ba9876543210"
LONG = 300.0
"""Longer than a test may take: who is not woken does not come back in time."""


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with tcp_broker(tmp_path / "broker") as url:
        yield load_settings(home=tmp_path / "home", broker_url=url)


@pytest.fixture
def notifier(settings: Settings) -> Iterator[ChangeNotifier]:
    made = ChangeNotifier(settings.broker_url)
    yield made
    made.close()


def test_a_change_wakes_whoever_waits(settings: Settings, notifier: ChangeNotifier) -> None:
    with watched_changes(settings, [OTHER, JOB]) as watch:
        timer = threading.Timer(0.2, notifier.notify, [JOB])
        timer.start()
        watch.wait(LONG)
        timer.join()


def test_what_changed_before_one_waits_is_not_missed(settings: Settings, notifier: ChangeNotifier) -> None:
    with watched_changes(settings, [JOB]) as watch:
        for _ in range(3):
            notifier.notify(JOB)
        watch.wait(LONG)


def test_other_jobs_wake_nobody(settings: Settings, notifier: ChangeNotifier, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched_changes(settings, [JOB]) as watch:
        notifier.notify(OTHER)
        slept: list[float] = []
        monkeypatch.setattr("freeda_svc.workers.changes.time.sleep", slept.append)
        watch.wait(0.2)
    assert slept == [0.0]  # all of the time was spent listening


def test_without_a_broker_one_looks_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("freeda_svc.workers.changes.time.sleep", slept.append)
    watch = ChangeWatch(load_settings(home=tmp_path), [JOB])
    watch.wait(LONG)
    assert slept[0] == pytest.approx(LONG, abs=60)
    ChangeNotifier("").notify(JOB)
    ChangeNotifier("redis://127.0.0.1:9/0").notify(JOB)


def test_a_broker_that_comes_later_is_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tcp_broker(tmp_path / "broker") as url:
        settings = load_settings(home=tmp_path / "home", broker_url=url)
        with monkeypatch.context() as away:
            away.setattr(Settings, "embedded_broker", True)
            watch = ChangeWatch(settings, [JOB])
        watch.wait(LONG)  # what it has missed is looked at, at once
        notifier = ChangeNotifier(url)
        notifier.notify(JOB)
        watch.wait(LONG)
        notifier.close()
        watch.close()


def test_a_broker_that_goes_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tcp_broker(tmp_path / "broker") as url:
        watch = ChangeWatch(load_settings(home=tmp_path / "home", broker_url=url), [JOB])
        notifier = ChangeNotifier(url)
        notifier.notify(OTHER)
    slept: list[float] = []
    monkeypatch.setattr("freeda_svc.workers.changes.time.sleep", slept.append)
    watch.wait(LONG)
    notifier.notify(JOB)
    assert slept[0] == pytest.approx(LONG, abs=60)
