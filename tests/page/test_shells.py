"""The HTML of the pages, and the files they load."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from freeda_svc.api import make_application
from freeda_svc.page import PAGES, STATIC_FOLDER, STATIC_PATH
from freeda_svc.settings import load_settings

MOST_BYTES = 200_000
SCRIPTS = list(STATIC_FOLDER.rglob("*.js"))


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    application = make_application(load_settings(home=tmp_path / "home"))
    return TestClient(application, base_url="http://127.0.0.1:8470")


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_their_own_scripts_only(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    for inline in ("<style", " style=", " onclick=", "<script>"):
        assert inline not in answer.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert all(name.startswith(("/", "#")) and not name.startswith("//") for name in loaded)
    files = [name for name in loaded if name.startswith(f"{STATIC_PATH}/")]
    assert len(files) >= 4
    for name in files:
        assert client.get(name).status_code == 200, name


def test_files_are_asked_for_again_by_their_tag(client: TestClient) -> None:
    answer = client.get(f"{STATIC_PATH}/style.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    again = client.get(f"{STATIC_PATH}/style.css", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


@pytest.mark.parametrize(
    "path",
    [
        "/page/nothing.js",
        "/page/shells.py",
        "/page/../shells.py",
        "/page/%2e%2e/shells.py",
        "/page/%2e%2e%2fshells.py",
        "/page/",
    ],
)
def test_only_these_files_are_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_what_is_there(script: Path) -> None:
    text = script.read_text()
    for name in re.findall(r'\bimport\b[^"();]*"([^"]+)";', text) + re.findall(r'new URL\("([^"]+)", import', text):
        assert name.startswith("."), name
        assert (script.parent / name).resolve().is_file(), name


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in STATIC_FOLDER.rglob("*.*")) < MOST_BYTES


def test_what_is_of_others_has_its_licence() -> None:
    for folder in (STATIC_FOLDER / "vendor").iterdir():
        assert (folder / "LICENSE").is_file(), folder.name
