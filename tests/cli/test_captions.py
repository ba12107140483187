import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.jobs import list_jobs
from freeda_svc.settings import load_settings

Freeda = Callable[..., Any]
LINES = [
    "A dog and a cat",
    "two cats by a traffic light",
    "",
    "a  dog and a cat",
    "it rains",
    "A dog and a cat",
    "x" * 1001,
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("n,alt\n" + "".join(f'{number},"{line}"\n' for number, line in enumerate(LINES)))
    return path


def test_nouns_are_counted_over_captions(freeda: Freeda, home: Path, table: Path) -> None:
    ran = freeda("captions", "nouns", table, "--column", "alt", "--json")
    assert ran.code == 0
    assert ran.json == {
        "captions": {
            "read": 7,
            "empty": 1,
            "too long": 1,
            "malformed": 0,
            "not English": 0,
            "repeated": 1,
            "parsed": 4,
            "without nouns": 1,
        },
        "nouns": {"cat": 3, "dog": 2, "light": 1, "traffic light": 1},
        "distinct nouns": 4,
    }
    assert list(ran.json["nouns"]) == ["cat", "dog", "light", "traffic light"]
    assert ran.err == "nouns: 4 of 4 captions\n"
    assert not home.exists()


def test_nouns_are_shown_as_a_table(freeda: Freeda, table: Path) -> None:
    ran = freeda("captions", "nouns", table, "--column", "alt", "--limit", 2, "--quiet")
    assert [line.split() for line in ran.out.splitlines()[:3]] == [["noun", "captions"], ["cat", "3"], ["dog", "2"]]
    assert ran.out.splitlines()[3:] == [
        "... and 2 more; --limit shows more.",
        "captions: 7 read, 1 empty, 1 too long, 0 malformed, 0 not English, 1 repeated, 4 parsed, 1 without nouns",
    ]
    assert ran.err == ""


def test_ingest_says_what_it_left_out(freeda: Freeda, home: Path, table: Path) -> None:
    ran = freeda("ingest", table, "--column", "alt", "--quiet")
    assert ran.code == 0
    assert ran.err == "captions left out: 1 empty, 1 longer than 1,000 characters, 1 repeated\n"
    [job] = list_jobs(load_settings(home=home))
    assert ran.out.strip() == job.id
    assert job.parameters == {
        "bank": "default@1",
        "captions": 4,
        "left_out": {"empty": 1, "too long": 1, "repeated": 1},
    }


def test_a_caption_of_two_files_is_one(freeda: Freeda, home: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"a dog\n{name}\n")
    ran = freeda("ingest", tmp_path / "a.txt", tmp_path / "b.txt", "--json", "--quiet")
    assert ran.json["left_out"] == {"repeated": 1}
    [job] = list_jobs(load_settings(home=home))
    assert job.parameters["captions"] == 3


def test_ingest_reads_standard_input(freeda: Freeda, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(json.dumps({"text": f"a dog {number}"}) + "\n" for number in range(5))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    ran = freeda("ingest", "-", "--format", "jsonl", "--limit", 3, "--quiet")
    assert (ran.code, ran.err) == (0, "")
    [job] = list_jobs(load_settings(home=home))
    assert (job.source, job.parameters) == ("standard input", {"bank": "default@1", "captions": 3, "left_out": {}})


def test_a_table_without_a_header_is_read_by_number_and_separator(freeda: Freeda, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text("1.jpg| 0| Two boats on the water .\n")
    ran = freeda("captions", "nouns", bars, "--separator", "|", "--column", 3, "--json")
    assert ran.json["nouns"] == {"boat": 1, "water": 1}


def test_a_separator_that_is_none_is_wrong_usage(freeda: Freeda, home: Path, table: Path) -> None:
    for separator in ("ab", '"', "x"):
        ran = freeda("ingest", table, "--separator", separator)
        assert (ran.code, ran.out) == (2, "")
        assert "a separator is one character such as ',', ';' or '|', or 'tab'" in ran.err
    assert not home.exists()


def test_a_file_whose_name_is_not_utf8_is_ingested(freeda: Freeda, home: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("a dog\n")
    assert freeda("ingest", path).code == 0
    [job] = list_jobs(load_settings(home=home))
    assert job.source.endswith("/caf\\xe9.txt")
    path.write_text("")
    assert freeda("ingest", path).err == f"Error: {job.source} has no captions\n"


def test_captions_in_another_language_are_left_out_and_counted(freeda: Freeda, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a dog\nEin Hund auf dem Sofa\nle chat noir\n", encoding="utf-8")
    ran = freeda("ingest", path, "--quiet")
    assert ran.err == "captions left out: 2 not English by their looks (--any-language takes them)\n"
    [job] = list_jobs(load_settings(home=home))
    assert job.parameters["left_out"] == {"not English": 2}
    ran = freeda("captions", "nouns", path, "--any-language", "--json")
    assert (ran.json["captions"]["parsed"], ran.json["captions"]["not English"]) == (3, 0)
