"""One version everywhere, and a changelog that says what is in it."""

import re
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PLACES = {  # where a release is named, and how often
    "docker-compose.yml": 1,
    "deploy/compose.cpu.yaml": 1,
    "deploy/compose.worker.yaml": 1,
    "deploy/Dockerfile": 2,
    "deploy/example.env": 1,
    "deploy/kubernetes/base/kustomization.yaml": 1,
}
NAMED = re.compile(r"(?:freeda-svc:(?:\$\{FREEDA_VERSION:-)?|FREEDA_VERSION=|newTag: )(\d+\.\d+\.\d+)")


def test_what_is_installed_and_deployed_has_the_version_of_the_project() -> None:
    assert version("freeda-svc") == VERSION
    for place, times in PLACES.items():
        assert NAMED.findall((ROOT / place).read_text()) == [VERSION] * times, place


def test_the_changelog_begins_with_this_version_and_its_date() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    number, _, day = headings[0].partition(" - ")
    assert number == VERSION
    assert date.fromisoformat(day)
    numbers = [heading.partition(" ")[0] for heading in headings]
    assert numbers == sorted(set(numbers), key=lambda text: [int(part) for part in text.split(".")], reverse=True)
