"""The image, without a container engine: what a linter finds, and what its parts do."""

import http.server
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freeda_svc.settings import Settings
from tests.deploy.documents import DEPLOY, ROOT, settings_named

DOCKERFILE = DEPLOY / "Dockerfile"
TEXT = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_it_is_built_on_one_version_and_runs_as_nobody_in_particular() -> None:
    bases = [line.split()[1] for line in LINES if line.startswith("FROM ")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases[0])
    [user] = [line.split()[1] for line in LINES if line.startswith("USER ")]
    assert int(user.partition(":")[0]) > 0
    last_run = max(number for number, line in enumerate(LINES) if line.startswith("RUN "))
    assert LINES.index(f"USER {user}") > last_run
    assert any(line.startswith("HEALTHCHECK ") for line in LINES)


def test_what_is_installed_is_pinned() -> None:
    installs = [part for line in LINES for part in line.split("&&") if "pip install" in part]
    assert len(installs) == 4
    for install in installs:
        assert "--constraint constraints.txt" in install or "--require-hashes" in install or "--no-deps ." in install
    assert "PIP_NO_CACHE_DIR=1" in TEXT


def test_everything_that_is_copied_reaches_the_builder() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [
        part for line in LINES if line.startswith("COPY ") and "--from" not in line for part in line.split()[1:-1]
    ]
    assert ignore[0] == "*"
    assert {f"!{part}" for part in copied} == {line for line in ignore if line.startswith("!")}
    for part in copied:
        assert (ROOT / part).exists()


def test_what_the_program_needs_is_read_from_its_description(tmp_path: Path) -> None:
    match = re.search(r'python -c "(.*?)" > needed.txt', TEXT)
    assert match is not None
    found = subprocess.run([sys.executable, "-c", match[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = ("server", "parquet", "faiss", "fonts", "s3")
    expected = project["dependencies"] + [needed for name in named for needed in extras[name]]
    assert found.stdout.splitlines() == expected


def test_settings_of_the_image_exist() -> None:
    variables = dict(re.findall(r"(FREEDA_\w+)=(\S+)", TEXT))
    settings_named(list(variables))
    Settings(**{name.removeprefix("FREEDA_").lower(): value for name, value in variables.items()})


@contextmanager
def _service(path: str, status: int) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.end_headers()
            self.wfile.write(b'{"takes items": false, "because": "there is no card"}')

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_is_what_the_worker_says(status: int, code: int) -> None:
    with _service("/health/ready", status) as port:
        checked = _check(FREEDA_METRICS_PORT=port)
    assert (checked.returncode, "there is no card" in checked.stderr) == (code, code == 1)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_health_of_the_api_is_that_it_answers(status: int, code: int) -> None:
    with _service("/health/live", status) as port:
        checked = _check("api", FREEDA_API_PORT=port, FREEDA_METRICS_PORT=1)
    assert (checked.returncode, "the HTTP API is not ready" in checked.stderr) == (code, code == 1)


def test_what_does_not_answer_is_not_well() -> None:
    for checked in (_check(FREEDA_METRICS_PORT=1), _check("api", FREEDA_API_PORT=1)):
        assert checked.returncode == 1
        assert "does not answer" in checked.stderr


def _check(*arguments: str, **ports: int) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **{name: str(port) for name, port in ports.items()}}
    command = [sys.executable, str(DEPLOY / "health.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
