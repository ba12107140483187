"""What ``freeda doctor`` says of the HTTP API."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from freeda_svc.cli.doctor.api import look_at_api
from freeda_svc.cli.doctor.findings import Verdict
from freeda_svc.jobs import Scope, create_key, list_keys
from freeda_svc.settings import Settings, load_settings


@pytest.fixture
def answered() -> Iterator[tuple[int, list[bytes]]]:
    """A port at which something answers with the first of the list."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bodies[0])

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port, bodies
    server.shutdown()
    server.server_close()
    thread.join()


def look(settings: Settings) -> tuple[Verdict, str]:
    (found,) = look_at_api(settings)
    return found.verdict, found.found


def test_no_api_is_wanted_or_there_is_no_home_yet(tmp_path: Path) -> None:
    assert look(load_settings(home=tmp_path / "home", api_port=0)) == (Verdict.OK, "none is wanted: api_port is 0")
    assert look(load_settings(home=tmp_path / "home")) == (Verdict.NOTE, "nobody answers yet")
    assert not (tmp_path / "home").exists()


def test_a_server_answers_or_another_program_does(tmp_path: Path, answered: tuple[int, list[bytes]]) -> None:
    port, bodies = answered
    settings = load_settings(home=tmp_path / "home", api_port=port)
    list_keys(settings)  # makes the database
    bodies[:] = [b'{"status":"ok"}']
    assert look(settings) == (Verdict.OK, f"http://127.0.0.1:{port} answers")
    for body in (b"{}", b"<html>"):
        bodies[:] = [body]
        assert look(settings) == (Verdict.WRONG, f"another program answers at 127.0.0.1:{port}")


def test_without_a_key_that_is_needed_something_is_wrong(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", api_host="0.0.0.0", api_port=1)
    list_keys(settings)
    verdict, found = look(settings)
    assert (verdict, found.startswith("the API needs keys")) == (Verdict.WRONG, True)
    create_key(settings, "first", Scope.READ)
    assert look(settings) == (Verdict.NOTE, "nobody answers at 127.0.0.1:1")
