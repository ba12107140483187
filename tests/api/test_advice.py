"""No answer sends whoever asks over HTTP to a command line."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import freeda_svc
from freeda_svc.api.advice import words_for_http
from freeda_svc.captions.caption import make_caption
from freeda_svc.jobs import submit_ingest
from freeda_svc.jobs.claims import claim_next, fail_item
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.messages import CHANGES, unknown_change

PACKAGE = Path(freeda_svc.__file__).parent
COMMAND = re.compile(r"(?:`|: )freeda [a-z]|(?<![\w-])--[a-z]")
ELSEWHERE = {"cli", "client", "demo", "evaluation", "library", "migrations", "miniature"}
"""Rooms whose errors reach nobody over HTTP."""
NOT_OVER_HTTP = (
    "revoke it with `freeda keys revoke`",
    "there is no valid key",
    "the API needs keys",
    "`freeda keys create NAME --scope administer`",
    "`freeda keys create` printed it",
    "A key of `freeda keys create`.",
    "the bank is not packed",
    "no broker_url is set",
    "--belongs-to",
)
"""Sentences that only commands print, logs, and what a description of the API says of the command line."""


def sentences() -> Iterator[str]:
    """All texts in the code that name a command or an option, except docstrings; what is filled in is X1."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in ELSEWHERE:
            continue
        tree = ast.parse(path.read_text())
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X1" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | documented:
                text = node.value
            else:
                continue
            if COMMAND.search(text) and path.name != "advice.py":
                yield text


@pytest.mark.parametrize("text", [*dict.fromkeys(sentences())])
def test_every_sentence_that_names_a_command_or_an_option_has_other_words(text: str) -> None:
    if not any(known in text for known in NOT_OVER_HTTP):
        assert not COMMAND.search(words_for_http(text)), words_for_http(text)


@pytest.mark.parametrize("change", CHANGES)
def test_whether_a_change_has_happened_is_seen_without_commands(change: str) -> None:
    assert "freeda" not in words_for_http(unknown_change(change))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "there is no bank cats@3, only cats@1: name one of them, or make it with `freeda bank create cats@3`",
            "there is no bank cats@3, only cats@1: name one of them, or make it first",
        ),
        (
            "the bank is empty: run `freeda ingest FILE` first, with --bank NAME@VERSION where it is not current",
            "the bank is empty: add captions or exemplars to it first",
        ),
        (
            "there is no worker: `freeda up` or `freeda worker` runs one",
            "there is no worker: whoever runs this server has to start one",
        ),
        ("give --take-crowds; a--b and x-- stay", "give take_crowds; a--b and x-- stay"),
    ],
)
def test_the_words_fit(text: str, words: str) -> None:
    assert words_for_http(text) == words


def test_a_problem_fits_and_keeps_the_sentence_of_the_command_line(client: TestClient) -> None:
    assert client.get("/v1/jobs/zzz").json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no job 'zzz'; the list of jobs shows them",
        "command_line": "there is no job 'zzz'; `freeda jobs list` shows them",
    }


def test_errors_that_are_kept_fit_too(client: TestClient, settings: Settings, described_pack: str) -> None:
    mine = load_settings(home=settings.home, pack=described_pack)
    job = submit_ingest(mine, [make_caption("a boat")], source="x", dispatcher=CeleryDispatcher(mine))
    claim = claim_next(mine, "worker")
    assert claim is not None
    fail_item(mine, claim, "the bank is empty: run `freeda ingest FILE` first", final=True)
    expected = "the bank is empty: add captions or exemplars to it first"
    assert client.get(f"/v1/jobs/{job}").json()["errors"][0]["error"] == expected
    assert client.get(f"/v1/jobs/{job}/items").json()["items"][0]["error"] == expected
    assert f'"message":"{expected}"' in client.get(f"/v1/jobs/{job}/events").text
