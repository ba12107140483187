import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freeda_svc.errors import BusyError, UnavailableError
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import worker_is_running, worker_pid
from freeda_svc.workers.locks import worker_lock

HOLD = """
import sys
from freeda_svc.settings import load_settings
from freeda_svc.workers.locks import worker_lock
with worker_lock(load_settings(home=sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _holder(settings: Settings) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_nobody_holds_a_new_home(settings: Settings) -> None:
    assert worker_pid(settings) is None
    assert not worker_is_running(settings)


def test_a_second_worker_is_refused_and_told_the_first(settings: Settings) -> None:
    with _holder(settings) as holder:
        assert worker_pid(settings) == holder.pid
        assert worker_is_running(settings)
        with (
            pytest.raises(BusyError, match=rf"^process {holder.pid} is already the worker of {settings.home}"),
            worker_lock(settings),
        ):
            pass


def test_a_dead_worker_holds_nothing(settings: Settings, eventually: Callable[..., None]) -> None:
    with _holder(settings) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        eventually(lambda: not worker_is_running(settings))
        with worker_lock(settings):
            assert worker_pid(settings) == os.getpid()
    assert not worker_is_running(settings)


def test_a_lock_that_cannot_be_made_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UnavailableError, match="cannot be used"),
        worker_lock(load_settings(home=tmp_path / "file" / "home")),
    ):
        pass
