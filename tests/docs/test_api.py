"""The commands of docs/api.md work when they are typed in order, and its table has every path."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from freeda_svc.api import make_application
from freeda_svc.settings import load_settings
from tests.docs.conftest import shorten_samples
from tests.docs.terminal import ROOT, Terminal, fenced_commands
from tests.free_ports import free_port

DOCUMENT = ROOT / "docs" / "api.md"


@pytest.fixture
def typing(tmp_path: Path) -> Iterator[tuple[Terminal, str]]:
    """A terminal, and the address that the server has in place of the usual one."""
    port = free_port()
    opened = Terminal(tmp_path, tmp_path / "home", {"FREEDA_API_PORT": str(port)})
    try:
        yield opened, f"127.0.0.1:{port}"
    finally:
        opened.end()


@pytest.mark.end_to_end
def test_a_first_session(typing: tuple[Terminal, str]) -> None:
    terminal, address = typing
    job = prototype = ""
    said = {}
    commands = fenced_commands(DOCUMENT)
    assert len(commands) > 20
    for command in commands:
        typed = command.replace("127.0.0.1:8470", address).replace("/JOB", f"/{job}")
        typed = typed.replace("PROTOTYPE", prototype).replace("curl ", "curl --fail-with-body -sS ")
        said[command] = out = terminal.type(typed)
        if command.startswith("freeda samples"):
            shorten_samples(terminal.folder)
        if found := re.match(r'\{"job":"([0-9a-f]{12})"', out):
            job = found[1]
        if "/search?" in command:
            prototype = json.loads(out)["items"][0]["id"]
    events = next(out for command, out in said.items() if "progress_only" in command)
    assert "event: progress" in events
    assert "event: end" in events
    again = next(out for command, out in said.items() if "Last-Event-ID" in command)
    assert '"kind":"done"' in again
    assert '"kind":"submitted"' not in again
    results = next(json.loads(out) for command, out in said.items() if command.endswith("JOB/results"))
    assert [item["state"] for item in results["items"]] == ["done", "done"]
    with Image.open(terminal.folder / "mask.png") as mask, Image.open(terminal.folder / "photos/scene-02.png") as photo:
        assert mask.size == photo.size
    for picture in ("overlay.png", "boat.png"):
        with Image.open(terminal.folder / picture) as shown:
            shown.load()
    with zipfile.ZipFile(terminal.folder / "results.zip") as archive:
        assert archive.testzip() is None
        assert {"coco.json", "image.mask.png"} <= set(archive.namelist())


def test_the_table_has_every_path_and_no_other(tmp_path: Path) -> None:
    described = make_application(load_settings(home=tmp_path / "home")).openapi()
    paths = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    listed = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(listed) == paths
    assert len(listed) == len(paths)


def test_every_path_is_described_with_its_errors(tmp_path: Path) -> None:
    described = make_application(load_settings(home=tmp_path / "home")).openapi()
    assert "HTTPValidationError" not in json.dumps(described["paths"])
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            place = f"{method} {path}"
            assert operation.get("summary"), place
            assert operation.get("description"), place
            assert operation.get("tags"), place
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), f"{place}: {parameter['name']}"
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert "application/problem+json" in answer["content"], f"{place}: {status}"
