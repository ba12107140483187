"""Ctrl-C counts also where Python drops the exception that it raises."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freeda_svc import jobs
from freeda_svc.cli.following import follow_job
from freeda_svc.settings import Settings, load_settings


def test_an_interrupt_lost_in_a_finaliser_still_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def look_for_ever(
        _settings: Settings, _job_id: str, *, every_seconds: float, wait: Callable[[float], object]
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

    monkeypatch.setattr(jobs, "follow_job", look_for_ever)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        follow_job(load_settings(home=tmp_path), "0123456789ab", "ingest", quiet=True)
    assert looks == 1
    assert signal.getsignal(signal.SIGINT) is before
