"""Packs and vocabularies over HTTP."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from freeda_svc.cli.main import freeda
from freeda_svc.settings import Settings
from freeda_svc.vocabularies import list_vocabularies, load_vocabulary


def _as_command(settings: Settings, *arguments: str) -> Any:  # noqa: ANN401
    ran = CliRunner().invoke(freeda, ["--home", str(settings.home), *arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_packs_are_listed_and_shown_as_by_the_command_line(client: TestClient, settings: Settings) -> None:
    assert client.get("/v1/packs").json() == {"items": _as_command(settings, "packs", "list"), "next": None}
    for name in ("miniature", "freeda-vit-b"):
        shown = _as_command(settings, "packs", "show", name)
        del shown["folder"]
        assert client.get(f"/v1/packs/{name}").json() == shown


@pytest.mark.parametrize("name", ["nothing", "%2Fetc%2Fpasswd", "..%2F..%2Fx.toml", "x.toml", "%00"])
def test_only_names_are_taken_for_packs(client: TestClient, name: str) -> None:
    answer = client.get(f"/v1/packs/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_vocabularies_are_listed_and_shown(client: TestClient) -> None:
    listed = client.get("/v1/vocabularies").json()["items"]
    assert {entry["name"]: entry["title"] for entry in listed} == list_vocabularies()
    for entry in listed:
        shown = client.get(f"/v1/vocabularies/{entry['name']}").json()
        known = load_vocabulary(entry["name"])
        assert (shown["names"], shown["texts"]) == (list(known.names), list(known.texts))
        assert shown["colours"] == known.colours.tolist()
        assert entry["classes"] == len(shown["names"]) == len(shown["colours"])
    wrong = client.get("/v1/vocabularies/voc2")
    assert (wrong.status_code, "vocabulary" in wrong.json()["detail"]) == (404, True)
