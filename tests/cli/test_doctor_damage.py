"""Damage and loss that people have: the doctor finds each, once, and no advice of it loses anything."""

import random
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeda_svc.bank import EmbeddedBanks
from freeda_svc.bank.banks import BankName
from freeda_svc.cli.doctor import models, places, services
from freeda_svc.cli.doctor.findings import Check, Finding, Verdict, run_checks
from freeda_svc.cli.doctor.working import look_at_metrics_port
from freeda_svc.jobs.database import close_databases
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.locks import worker_lock
from tests.made_prototypes import make_prototype

Freeda = Callable[..., Any]


def _look(look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    return list(run_checks([Check("part", look)], settings))


def test_a_damaged_database_is_found_and_no_advice_loses_it(freeda: Freeda, home: Path, inputs: Path) -> None:
    freeda("ingest", inputs / "captions.txt")
    settings = load_settings()
    close_databases()
    connection = sqlite3.connect(settings.database_file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(settings.database_file.read_bytes())
    half = len(content) // 2 // 4096 * 4096
    content[half : half + 20000] = random.Random(1).randbytes(20000)
    settings.database_file.write_bytes(content)
    [found] = _look(services.look_at_database, settings)
    assert found.verdict is Verdict.WRONG
    assert " is damaged: " in found.found or "malformed" in found.found
    assert "copy jobs.sqlite" in found.advice
    assert "move" not in found.advice
    close_databases()


def test_a_database_that_is_gone_is_no_new_beginning(home: Path) -> None:
    settings = load_settings()
    (settings.artifacts_folder / "results" / "job").mkdir(parents=True)
    [found] = _look(services.look_at_database, settings)
    assert (found.verdict, "is gone" in found.found) == (Verdict.WRONG, True)


def _filled_bank(settings: Settings) -> Path:
    pack = read_pack_parameters(settings.pack, settings.packs_folder).fingerprint
    banks = EmbeddedBanks(settings.banks_folder)
    banks.create(BankName("default", 1), pack, 4, 3)
    with closing(banks.open(BankName("default", 1))) as store:
        vectors = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
        store.add(
            [
                make_prototype("ball", key=key, vector=key[:3], pack=pack, seed=number, caption_id=f"{number:016x}")
                for number, key in enumerate(vectors)
            ]
        )
    return banks.place(BankName("default", 1))


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ("shard/segments/*/payload_storage/page_0.dat", "does not answer"),
        ("shard/segments/*/segment.json", "cannot be opened"),
        ("shard/edge_config.json", "edge_config.json"),
        ("shard/segments/*/vector_storage-prototype/vectors/chunk_0.mmap", "damaged"),
        ("shard/segments/*/vector_storage-key/vectors/chunk_0.mmap", "damaged"),
        ("shard/segments/*/mutable_id_tracker.mappings", "cannot be opened"),
        ("manifest.json", "manifest.json"),
    ],
)
def test_a_damaged_bank_is_found(home: Path, damaged: str, reason: str) -> None:
    settings = load_settings()
    place = _filled_bank(settings)
    assert _look(models.look_at_bank, settings)[0].found == "default@1, 40 prototypes, searched"
    [file] = place.glob(damaged)
    file.write_bytes(b"\xff" * min(1 << 20, file.stat().st_size))
    [found] = _look(models.look_at_bank, settings)
    assert (found.verdict, reason in found.found) == (Verdict.WRONG, True), found.found
    assert "keep a copy" in found.advice


@pytest.mark.parametrize("lost", ["shard", "manifest.json"])
def test_lost_files_of_a_bank_are_found(home: Path, lost: str) -> None:
    settings = load_settings()
    place = _filled_bank(settings)
    shutil.rmtree(place / lost) if (place / lost).is_dir() else (place / lost).unlink()
    [found] = _look(models.look_at_bank, settings)
    assert (found.verdict, "lost" in found.found) == (Verdict.WRONG, True)


def test_a_port_for_metrics_that_is_taken(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = load_settings(metrics_port=other.getsockname()[1])
        [taken] = _look(look_at_metrics_port, settings)
        assert (taken.verdict, "Address already in use" in taken.found) == (Verdict.WRONG, True)
    assert [found.verdict for found in _look(look_at_metrics_port, settings)] == [Verdict.OK]
    with worker_lock(settings):  # a worker that does not answer there
        assert [found.verdict for found in _look(look_at_metrics_port, settings)] == [Verdict.WRONG]


def test_a_home_that_cannot_be_written_is_reported_once(
    freeda: Freeda, home: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeda("ingest", inputs / "captions.txt")
    reasons = {home: "its file system is mounted read-only"}
    monkeypatch.setattr(places, "why_unwritable", lambda place: reasons.get(place, ""))
    found = freeda("doctor", "--json").json["findings"]
    told = [(finding["part"], finding["found"]) for finding in found if finding["verdict"] == "wrong"]
    assert told == [("home", f"{home} cannot be written: its file system is mounted read-only")]
    assert "database, broker, worker, api, bank" in found[-1]["found"]


def test_what_belongs_to_somebody_else_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    monkeypatch.setattr(places.os, "access", lambda place, _mode: place != home)
    [found] = _look(places.look_at_home, load_settings())
    assert (found.verdict, f"it belongs to {home.owner()}" in found.found) == (Verdict.WRONG, True)
