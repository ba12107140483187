import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank.embedded.ledger import (
    ADDING,
    JOB,
    MARKING,
    NOUN,
    REMOVING,
    UNMARKING,
    Ledger,
    RowBatch,
    count_prototypes,
)
from freeda_svc.errors import FreedaError, InputError, UnavailableError

COLUMNS = ("ids", "nouns", "jobs", "captions", "origins")


def make_rows(number: int, seed: int = 0) -> RowBatch:
    generator = np.random.default_rng(seed)
    return RowBatch(
        ids=generator.integers(256, size=(number, 16)).astype(np.uint8),
        nouns=generator.integers(2**32, size=number).astype(np.uint32),
        jobs=generator.integers(2**32, size=number).astype(np.uint32),
        captions=generator.integers(2**63, size=number).astype(np.uint64) * np.uint64(2),
        origins=generator.integers(3, size=number).astype(np.uint8),
    )


def assert_rows(found: RowBatch, *expected: RowBatch) -> None:
    for column in COLUMNS:
        wanted = np.concatenate([getattr(rows, column) for rows in expected])
        assert getattr(found, column).dtype == wanted.dtype
        np.testing.assert_array_equal(getattr(found, column), wanted)


@pytest.fixture
def path(fast_folder: Path) -> Path:
    return fast_folder / "ledger.sqlite"


@pytest.fixture
def open_ledger(path: Path) -> Iterator[Callable[[], Ledger]]:
    opened: list[Ledger] = []

    def open_it() -> Ledger:
        for ledger in opened:
            ledger.close()
        opened.append(Ledger(path))
        return opened[-1]

    yield open_it
    for ledger in opened:
        ledger.close()


def test_a_new_ledger_is_empty(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    assert ledger.rows().ids.shape == (0, 16)
    assert_rows(ledger.rows(), make_rows(0))
    assert ledger.batch_starts() == []
    assert ledger.names(NOUN) == ledger.removed() == ledger.pending() == []
    assert ledger.marked() == {}
    assert ledger.version() == (0, 0)


def test_what_was_committed_is_read_in_its_order(open_ledger: Callable[[], Ledger]) -> None:
    batches = [make_rows(number, seed=number) for number in (3, 1, 5)]
    ledger = open_ledger()
    assert ledger.commit(0, batches[0], [(NOUN, 0, "dog"), (JOB, 0, ""), (NOUN, 1, "café ☕")], [(1, "small")]) == 1
    assert ledger.commit(3, batches[1], [], []) == 2
    assert ledger.commit(4, batches[2], [(NOUN, 2, "tree")], [(4, "odd"), (8, "odd")]) == 3
    for _ in range(2):
        assert_rows(ledger.rows(), *batches)
        assert ledger.batch_starts() == [(1, 0), (2, 3), (3, 4)]
        assert ledger.names(NOUN) == ["dog", "café ☕", "tree"]
        assert ledger.names(JOB) == [""]
        assert ledger.marked() == {1: "small", 4: "odd", 8: "odd"}
        assert ledger.version() == (3, 0)
        ledger = open_ledger()


def test_a_commit_settles_what_was_intended(open_ledger: Callable[[], Ledger]) -> None:
    rows = make_rows(4)
    ledger = open_ledger()
    ledger.intend(ADDING, rows.ids)
    ((kind, ids),) = open_ledger().pending()
    assert kind == ADDING
    np.testing.assert_array_equal(ids, rows.ids)
    ledger = open_ledger()
    ledger.commit(0, rows, [], [])
    assert ledger.pending() == []


def test_changes_are_pending_until_they_are_settled(open_ledger: Callable[[], Ledger]) -> None:
    rows = make_rows(6)
    ledger = open_ledger()
    ledger.commit(0, rows, [], [])
    ledger.mark([(0, "odd"), (1, "odd"), (2, "small")], rows.ids[:3])
    ledger.mark([(1, "alone")], rows.ids[1:2])
    ledger.unmark([0, 5], rows.ids[[0, 5]])
    ledger.remove([2, 3], rows.ids[2:4])
    ledger = open_ledger()
    assert ledger.marked() == {1: "alone"}
    assert ledger.removed() == [2, 3]
    assert ledger.version() == (1, 4)
    assert [(kind, len(ids)) for kind, ids in ledger.pending()] == [
        (MARKING, 3),
        (MARKING, 1),
        (UNMARKING, 2),
        (REMOVING, 2),
    ]
    ledger.settle()
    assert open_ledger().pending() == []


def test_a_commit_that_fails_leaves_nothing(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    ledger.commit(0, make_rows(2), [(NOUN, 0, "dog")], [])
    ledger.intend(ADDING, make_rows(3, seed=1).ids)
    with pytest.raises(InputError, match="is broken"):  # the code is taken
        ledger.commit(2, make_rows(3, seed=1), [(NOUN, 1, "cat"), (NOUN, 0, "tree")], [])

    def interrupted() -> Iterator[tuple[int, str]]:
        yield 2, "odd"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.commit(2, make_rows(3, seed=1), [(NOUN, 1, "cat")], interrupted())
    for _ in range(2):
        assert_rows(ledger.rows(), make_rows(2))
        assert ledger.names(NOUN) == ["dog"]
        assert ledger.marked() == {}
        assert len(ledger.pending()) == 1
        assert ledger.version() == (1, 0)
        ledger = open_ledger()


def test_a_transaction_that_was_left_open_is_rolled_back(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    ledger._connection.execute("BEGIN IMMEDIATE")  # as an interrupt between two statements leaves it
    ledger._connection.execute("INSERT INTO removed VALUES (7)")
    ledger.commit(0, make_rows(2), [], [])
    assert ledger.removed() == []
    assert_rows(open_ledger().rows(), make_rows(2))


def test_what_a_call_wrote_is_in_the_files_before_the_ledger_is_closed(
    open_ledger: Callable[[], Ledger], path: Path, tmp_path: Path
) -> None:
    ledger = open_ledger()
    for number in range(3):
        ledger.commit(2 * number, make_rows(2, seed=number), [], [])
        copy = tmp_path / str(number)
        copy.mkdir()
        for part in path.parent.iterdir():
            (copy / part.name).write_bytes(part.read_bytes())
        with closing(Ledger(copy / path.name)) as copied:
            assert len(copied.rows().ids) == 2 * number + 2


def test_a_commit_waits_for_the_disk(open_ledger: Callable[[], Ledger]) -> None:
    connection = open_ledger()._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: the log is synced at every commit


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but something of another program", b"SQLite format 3\0" * 90]
)
def test_something_else_in_its_place_is_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"ledger .* is broken .*: restore the bank .*, or move the ledger away"
    ) as caught:
        Ledger(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_another_database_is_no_ledger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE something (value)")
    with pytest.raises(InputError, match="of format 0, expected 1"):
        Ledger(path)


def test_a_later_format_asks_for_a_newer_version(open_ledger: Callable[[], Ledger], path: Path) -> None:
    open_ledger().close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(InputError, match="of format 2, this version reads up to 1: update freeda"):
        Ledger(path)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM batches WHERE number = 1",
        "DELETE FROM batches WHERE number = 2",
        "UPDATE batches SET first_row = 2 WHERE number = 3",
        "UPDATE batches SET nouns = x'00000000' WHERE number = 2",
        "UPDATE batches SET ids = CAST(ids || ids AS BLOB) WHERE number = 3",
    ],
)
def test_rows_that_do_not_fit_together_are_one_line(open_ledger: Callable[[], Ledger], path: Path, damage: str) -> None:
    ledger = open_ledger()
    for number in range(3):
        ledger.commit(2 * number, make_rows(2, seed=number), [], [])
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()
    with pytest.raises(InputError, match="is broken") as caught:
        open_ledger().rows()
    assert "\n" not in str(caught.value)


def test_broken_pages_are_one_line(open_ledger: Callable[[], Ledger], path: Path) -> None:
    ledger = open_ledger()
    ledger.commit(0, make_rows(3000), [], [])
    ledger.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(FreedaError, match=r"ledger .* (is broken|cannot be used)") as caught:
        open_ledger().rows()
    assert "\n" not in str(caught.value)


def test_a_ledger_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be used"):
        Ledger(tmp_path / "nowhere" / "ledger.sqlite")


def test_a_closed_ledger_says_so(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    ledger.close()
    ledger.close()
    with pytest.raises(UnavailableError, match="it is closed"):
        ledger.rows()
    with pytest.raises(UnavailableError, match="it is closed"):
        ledger.commit(0, make_rows(1), [], [])


def test_prototypes_are_counted_while_another_has_the_ledger_open(
    open_ledger: Callable[[], Ledger], path: Path
) -> None:
    assert count_prototypes(path) == 0
    assert not path.exists()
    ledger = open_ledger()
    ledger.commit(0, make_rows(5), [], [])
    ledger.remove([1, 3], make_rows(5).ids[[1, 3]])
    assert count_prototypes(path) == 3
    ledger.commit(5, make_rows(2, seed=1), [], [])
    assert count_prototypes(path) == 5
    ledger.close()
    assert count_prototypes(path) == 5


def test_prototypes_of_a_broken_ledger_are_not_counted(path: Path) -> None:
    path.write_bytes(b"something else" * 100)
    with pytest.raises(UnavailableError, match="cannot be read") as caught:
        count_prototypes(path)
    assert "\n" not in str(caught.value)
