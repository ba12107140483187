"""Files of each kind that are cut off, changed or gone: one line when the bank is opened or used, nothing made up."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import ALL, PrototypeStore, Selection, open_folder, point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.points import REGISTERS
from freeda_svc.bank.qdrant import failures
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import QUERY, VECTOR, Reasons, expect_all, read_all

DONE = [*(("add", number) for number in range(4)), ("forget", 1), ("mark", 2)]
LIVE = len(expect_all(*DONE)) + len(REGISTERS)
"""Points that are not deleted."""


def empty(file: Path) -> None:
    os.truncate(file, 0)


def halve(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def change(file: Path) -> None:
    """Change a tenth of the bytes that are not zero."""
    content, chance = bytearray(file.read_bytes()), random.Random(0)
    there = [place for place, byte in enumerate(content) if byte]
    for place in chance.sample(there, max(1, len(there) // 10)):
        content[place] ^= chance.randrange(1, 256)
    file.write_bytes(content)


WAYS: list[Callable[[Path], None]] = [empty, halve, change, Path.unlink]
KINDS = {
    "manifest.json": WAYS,
    "prototypes": WAYS,
    "lock": [empty, Path.unlink],
    "shard/edge_config.json": WAYS,
    "shard/wal/first-index": WAYS,
    "shard/wal/open-1": WAYS,
    "shard/segments/*/segment.json": WAYS,
    "shard/segments/*/version.info": WAYS,
    "shard/segments/*/mutable_id_tracker.mappings": WAYS,
    "shard/segments/*/mutable_id_tracker.versions": WAYS,
    "shard/segments/*/payload_storage/config.json": WAYS,
    "shard/segments/*/payload_storage/page_0.dat": WAYS,
    "shard/segments/*/payload_storage/tracker.dat": WAYS,
    "shard/segments/*/payload_storage/bitmask.dat": WAYS,
    "shard/segments/*/payload_index/config.json": WAYS,
    # A value that is changed in an index is taken as it is: `select` and `nouns` follow it.
    "shard/segments/*/payload_index/*-noun-map/page_0.dat": [empty, halve, Path.unlink],
    "shard/segments/*/payload_index/*-noun-map/tracker.dat": [empty, halve, Path.unlink],
    "shard/segments/*/payload_index/*-marked-null/has_values/status.dat": WAYS,
    **{
        f"shard/segments/*/vector_storage-{vector}/{file}": WAYS
        for vector in ("key", "prototype", "appearance")
        for file in ("vectors/chunk_0.mmap", "vectors/config.json", "vectors/status.dat", "deleted/flags_a.dat")
    },
    "shard/segments/*/vector_storage-key/deleted/status.dat": WAYS,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bank = tmp_path_factory.mktemp("whole") / "bank"
    with changing.open_bank(bank) as store:
        for done in DONE:
            changing.perform(store, done)
    return bank


@pytest.fixture
def bank(whole: Path, folder: Path) -> Path:
    subprocess.run(["cp", "-r", str(whole), str(folder)], check=True)
    return folder


def use(store: PrototypeStore) -> Reasons:
    """Everything that is kept, read in every way; then it is changed."""
    appearances = [point_id(prototype) for prototype in changing.make_batch(2)]
    expected = np.stack([prototype.appearance for prototype in changing.make_batch(2)]).astype(np.float16)
    np.testing.assert_array_equal(store.appearances(appearances), expected)
    found = read_all(store)
    assert store.select(Selection(noun="common")) == [
        point_id(prototype) for some in store.scan() for prototype in some if prototype.noun == "common"
    ]
    for done in (("mark", 3), ("forget", 3), ("add", 4)):
        changing.perform(store, done)
        found = changing.expect(found, done)
    assert read_all(store) == found
    return found


@pytest.mark.parametrize(("kind", "way"), [(kind, way) for kind, ways in KINDS.items() for way in ways])
def test_a_damaged_file_is_told_in_one_line_or_does_no_harm(
    bank: Path, capfd: pytest.CaptureFixture[str], kind: str, way: Callable[[Path], None]
) -> None:
    (file,) = bank.glob(kind)
    way(file)
    told = ""
    try:
        with open_folder(bank) as store:
            found = use(store)
            assert found == expect_all(*DONE, ("mark", 3), ("forget", 3), ("add", 4))
    except FreedaError as error:
        told = str(error)
    assert "\n" not in told
    assert not told or str(bank) in told or "in the bank" in told
    assert capfd.readouterr().err == ""
    if told:  # it can't have got its lock back otherwise
        with pytest.raises(FreedaError), open_folder(bank) as store:
            use(store)


def fault_of(bank: Path, expected: Reasons) -> str:
    """What is reported when a bank is opened and read; empty where it holds what is expected."""
    try:
        with open_folder(bank) as store:
            assert read_all(store) == expected
    except FreedaError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("vector", "fault", "number"),
    [
        ("key", "is damaged: vectors of prototypes are missing, or keys of outliers are not hidden", LIVE),
        ("prototype", "is damaged: vectors of prototypes are missing, or keys of outliers are not hidden", LIVE),
        ("appearance", "the appearance of the prototype .* in the bank is gone or damaged", changing.BATCH),
    ],
)
def test_a_changed_flag_of_a_deleted_vector_is_noticed_or_does_no_harm(
    bank: Path, vector: str, fault: str, number: int
) -> None:
    """A search passes over a key that is flagged, and finds one whose flag is gone, without a word."""
    (file,) = bank.glob(f"shard/segments/*/vector_storage-{vector}/deleted/flags_a.dat")
    whole, expected = file.read_bytes(), expect_all(*DONE)
    faults = []
    for bit in range(64):  # there are fewer points
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        faults.append(fault_of(bank, expected))
    assert len([line for line in faults if re.search(fault, line)]) == number
    assert faults.count("") == len(faults) - number


def test_what_the_engine_prints_when_it_panics_is_not_shown(bank: Path) -> None:
    """It prints the place where it panicked, and a backtrace where one is asked for."""
    (file,) = bank.glob("shard/segments/*/vector_storage-key/deleted/status.dat")
    empty(file)
    program = f"""
import os
from freeda_svc.bank import open_folder
for _ in range(2):
    try:
        open_folder({str(bank)!r})
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    os.write(2, b"something else\\n")
"""
    for backtrace in ("0", "1", "full"):
        environment = {**os.environ, "RUST_BACKTRACE": backtrace}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, timeout=100
        )
        assert done.stderr == "something else\n" * 2
        first, second = done.stdout.splitlines()
        assert first == second
        assert first.startswith(f"UnavailableError the bank {bank} is damaged (index out of bounds: ")
        assert first.endswith("): restore the bank from a backup, or import an archive of it")


def test_what_others_print_while_a_bank_is_opened_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with failures.loading("the bank x"):
        os.write(2, b"before\n\nthread 'main' (7) panicked at a/b.rs:3:4:\nno room\nstack backtrace:\n")
        os.write(2, b"   0: one\n             at a.rs:1:2\n   1: two\nnote: run with `RUST_BACKTRACE=full`\nafter\n")
    assert capfd.readouterr().err == "before\nafter\n"


@pytest.mark.parametrize("vector", ["key", "prototype", "appearance"])
def test_one_value_that_changed_is_found_when_it_is_read(bank: Path, vector: str) -> None:
    (file,) = bank.glob(f"shard/segments/*/vector_storage-{vector}/vectors/chunk_0.mmap")
    content, prototype = bytearray(file.read_bytes()), changing.make_batch(2)[1]
    values = {
        "key": unit_rows(prototype.key[np.newaxis]).astype("<f4"),
        "prototype": prototype.vector.astype("<f2"),
        "appearance": prototype.appearance.astype("<f2"),
    }
    content[content.index(values[vector].tobytes()) + 5] ^= 1
    file.write_bytes(content)
    ids = [point_id(prototype) for prototype in changing.make_batch(2)]
    with open_folder(bank) as store:
        asked: dict[str, list[Callable[[], object]]] = {
            "key": [lambda: list(store.scan())],
            "prototype": [
                lambda: list(store.scan()),
                lambda: store.vectors(store.select(ALL)),
                lambda: store.nearest(QUERY, 100),
                lambda: store.nearest_prototypes(VECTOR, 100),
            ],
            "appearance": [lambda: list(store.scan()), lambda: store.appearances(ids)],
        }
        for ask in asked[vector]:
            with pytest.raises(
                InputError, match=rf"^the {vector} of the prototype [-0-9a-f]{{36}} in the bank is gone"
            ):
                ask()


def test_a_bank_that_lost_prototypes_says_how_many(bank: Path) -> None:
    (file,) = bank.glob("shard/segments/*/mutable_id_tracker.versions")
    halve(file)
    for _ in range(2):
        with pytest.raises(InputError, match=r"is damaged: it holds \d+ prototypes, expected 18; restore the bank"):
            open_folder(bank)


def test_a_bank_that_has_lost_the_flags_of_deleted_vectors_is_damaged(bank: Path) -> None:
    """Points that have no key would come with zeros, the registers too."""
    (file,) = bank.glob("shard/segments/*/vector_storage-key/deleted/flags_a.dat")
    empty(file)
    with pytest.raises(InputError, match=r"is damaged: vectors of prototypes are missing, or keys of outliers"):
        open_folder(bank)


def test_a_shard_that_is_no_folder_is_one_line(bank: Path) -> None:
    subprocess.run(["rm", "-r", str(bank / "shard" / "segments")], check=True)
    (bank / "shard" / "segments").write_bytes(b"")
    with pytest.raises(UnavailableError, match="cannot be opened") as caught:
        open_folder(bank)
    assert "\n" not in str(caught.value)
