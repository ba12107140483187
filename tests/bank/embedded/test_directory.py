import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from freeda_svc.bank import Selection, point_id
from freeda_svc.bank.embedded import directory as module
from freeda_svc.bank.embedded.directory import Directory, hash_caption, pack_ids, unpack_ids
from freeda_svc.bank.embedded.ledger import JOB, NOUN, Ledger
from freeda_svc.prototypes.record import ORIGINS, Prototype

MakePrototypes = Callable[..., list[Prototype]]


def enter(ledger: Ledger, directory: Directory, ids: Sequence[str], prototypes: Sequence[Prototype]) -> None:
    """What a bank does with a batch, as far as ledger and directory go."""
    names, first = directory.name_counts(), directory.rows
    batch = directory.describe(ids, prototypes)
    reasons = [prototype.outlier for prototype in prototypes]
    marks = [(first + number, reason) for number, reason in enumerate(reasons) if reason]
    ledger.commit(first, batch, directory.new_names(names), marks)
    directory.append(batch, reasons)


@pytest.fixture
def ledger(fast_folder: Path) -> Iterator[Ledger]:
    opened = Ledger(fast_folder / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def few_recent_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECENT_ROWS", 3)


@given(st.lists(st.uuids(), max_size=20))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_ids_are_unpacked_as_they_were_packed(ids: list[uuid.UUID]) -> None:
    texts = [str(identifier) for identifier in ids]
    packed = pack_ids(texts)
    assert packed.shape == (len(ids), 16)
    assert packed.tobytes() == b"".join(identifier.bytes for identifier in ids)
    assert unpack_ids(packed) == texts


@pytest.mark.parametrize("text", ["", "no id", "0" * 31, "g" * 32])
def test_what_is_no_uuid_cannot_be_packed(text: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|base 16"):
        pack_ids([str(uuid.uuid4()), text])


def test_captions_are_told_apart_by_their_hashes() -> None:
    texts = ["", "a", "b", "\ud800 alone", *(f"{number:016x}" for number in range(1000))]
    assert len({hash_caption(text).item() for text in texts}) == len(texts)
    # The ledger keeps them: another value here would make every stored caption a stranger.
    assert hash_caption("0" * 16) == np.uint64(11202253069035917050)


@pytest.mark.usefixtures("few_recent_rows")
def test_ids_are_found_whether_their_rows_are_recent_or_old(ledger: Ledger, make_prototypes: MakePrototypes) -> None:
    directory = Directory(ledger)
    prototypes = make_prototypes(20)
    ids = [point_id(prototype) for prototype in prototypes]
    for start in range(0, 20, 2):
        enter(ledger, directory, ids[start : start + 2], prototypes[start : start + 2])
        expected = [row if row < start + 2 else -1 for row in range(20)]
        assert directory.find(ids).tolist() == expected
        assert directory.find(ids[::-1]).tolist() == expected[::-1]
    assert Directory(ledger).find(ids).tolist() == list(range(20))


def test_what_is_no_id_is_not_found_and_others_are(ledger: Ledger, make_prototypes: MakePrototypes) -> None:
    directory = Directory(ledger)
    prototypes = make_prototypes(2)
    ids = [point_id(prototype) for prototype in prototypes]
    enter(ledger, directory, ids, prototypes)
    assert directory.find(["", ids[1], "no id", str(uuid.uuid4()), ids[0], ids[1]]).tolist() == [-1, 1, -1, -1, 0, 1]
    assert directory.find(["nothing", "at all"]).tolist() == [-1, -1]
    assert directory.find([ids[1].upper(), ids[0]]).tolist() == [1, 0]
    assert directory.find([]).tolist() == []


@pytest.mark.usefixtures("few_recent_rows")
@pytest.mark.parametrize("others", [0, 1, 6])
def test_an_id_that_was_removed_is_found_where_it_was_added_again(
    ledger: Ledger, make_prototypes: MakePrototypes, others: int
) -> None:
    # Whether old and new row are both recent, both old, or one of each.
    directory = Directory(ledger)
    (prototype,) = make_prototypes(1)
    identifier = point_id(prototype)
    filler = iter(make_prototypes(100, start=1000))
    row = -1
    for _ in range(4):
        assert directory.find([identifier]).tolist() == [-1]
        enter(ledger, directory, [identifier], [prototype])
        (row,) = directory.find([identifier]).tolist()
        assert row == directory.rows - 1
        for _ in range(others):
            other = next(filler)
            enter(ledger, directory, [point_id(other)], [other])
        assert directory.find([identifier]).tolist() == [row]
        directory.remove(np.array([row]))
        ledger.remove([row], directory.ids(np.array([row])))
    assert Directory(ledger).find([identifier]).tolist() == [-1]


@pytest.mark.usefixtures("few_recent_rows")
def test_ids_that_begin_alike_are_told_apart(ledger: Ledger, make_prototypes: MakePrototypes) -> None:
    directory = Directory(ledger)
    ids = [f"01234567-89ab-5def-8000-{number:012x}" for number in range(30)]
    prototypes = make_prototypes(30)
    enter(ledger, directory, ids[:20], prototypes[:20])
    directory.remove(np.array([3, 7]))
    expected = [-1 if row in (3, 7) or row >= 20 else row for row in range(30)]
    assert directory.find(ids).tolist() == expected


def test_names_get_codes_that_are_kept(ledger: Ledger, make_prototypes: MakePrototypes) -> None:
    directory = Directory(ledger)
    for start, nouns, job in ((0, ["dog", "tree"], "a"), (10, ["cat", "dog"], ""), (20, ["tree"], "b")):
        prototypes = make_prototypes(4, start=start, nouns=nouns, job=job)
        enter(ledger, directory, [point_id(prototype) for prototype in prototypes], prototypes)
    rows = np.arange(12)
    for again in (directory, Directory(ledger)):
        assert again.nouns(rows) == ("dog", "tree") * 2 + ("cat", "dog") * 2 + ("tree",) * 4
        assert again.noun_counts() == {"cat": 2, "dog": 4, "tree": 6}
        assert list(again.noun_counts()) == ["cat", "dog", "tree"]
        assert again.job_count() == 2
        assert again.name_counts() == (3, 3)
    assert ledger.names(NOUN) == ["dog", "tree", "cat"]
    assert ledger.names(JOB) == ["a", "", "b"]


def test_codes_of_a_batch_that_failed_are_given_to_others(ledger: Ledger, make_prototypes: MakePrototypes) -> None:
    directory = Directory(ledger)
    first, failed = (
        make_prototypes(2, nouns=["dog"]),
        make_prototypes(4, start=10, nouns=["cat", "dog", "tree"], job="j"),
    )
    enter(ledger, directory, [point_id(prototype) for prototype in first], first)
    names = directory.name_counts()
    directory.describe([point_id(prototype) for prototype in failed], failed)
    assert directory.new_names(names) == [(NOUN, 1, "cat"), (NOUN, 2, "tree"), (JOB, 1, "j")]
    directory.forget_names(names)
    assert directory.name_counts() == names
    other = make_prototypes(2, start=20, nouns=["zebra", "tree"])
    enter(ledger, directory, [point_id(prototype) for prototype in other], other)
    for again in (directory, Directory(ledger)):
        assert again.nouns(np.arange(4)) == ("dog", "dog", "zebra", "tree")
    assert np.count_nonzero(directory.is_meant(Selection(noun="cat"))) == 0


def test_nothing_is_counted_in_an_empty_directory(ledger: Ledger) -> None:
    directory = Directory(ledger)
    assert (directory.caption_count(), directory.job_count()) == (0, 0)
    assert directory.origin_counts() == directory.noun_counts() == {}
    assert directory.is_meant(Selection(noun="dog", origin="generated", outlier=False)).shape == (0,)


class Changes(RuleBasedStateMachine):
    """Batches, removals and marks in any order, compared with plain lists; the ledger must tell the same story."""

    ledger: Ledger
    make: MakePrototypes

    def __init__(self) -> None:
        super().__init__()
        self.path = self.new_path()
        self.ledger = Ledger(self.path)
        self.directory = Directory(self.ledger)
        self.kept: list[Prototype] = []
        self.reasons: dict[int, str] = {}
        self.gone: set[int] = set()
        self.start = 0

    new_path: Callable[[], Path]

    def alive(self) -> list[int]:
        return [row for row in range(len(self.kept)) if row not in self.gone]

    @rule(
        number=st.integers(1, 6),
        nouns=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4),
        job=st.sampled_from(["", "x", "y"]),
        outliers=st.sampled_from([[""], ["", "odd"]]),
    )
    def add(self, number: int, nouns: list[str], job: str, outliers: list[str]) -> None:
        batch = type(self).make(number, start=self.start, nouns=nouns, job=job, origins=ORIGINS, outliers=outliers)
        self.start += number - (number > 2)  # the last caption of this batch comes again in the next one
        first = len(self.kept)
        enter(
            self.ledger,
            self.directory,
            [str(uuid.uuid5(uuid.NAMESPACE_OID, str(first + i))) for i in range(number)],
            batch,
        )
        self.kept += batch
        self.reasons.update((first + i, p.outlier) for i, p in enumerate(batch) if p.outlier)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        rows = data.draw(st.sets(st.sampled_from(self.alive())) if self.alive() else st.just(set()))
        array = np.array(sorted(rows), dtype=np.int64)
        self.ledger.remove(array.tolist(), self.directory.ids(array))
        self.directory.remove(array)
        self.gone |= rows
        self.reasons = {row: reason for row, reason in self.reasons.items() if row not in rows}

    @rule(data=st.data(), reason=st.sampled_from(["small", "alone"]))
    def mark(self, data: st.DataObject, reason: str) -> None:
        rows = data.draw(st.sets(st.sampled_from(self.alive())) if self.alive() else st.just(set()))
        marks = [(row, reason) for row in sorted(rows)]
        self.ledger.mark(marks, self.directory.ids(np.array(sorted(rows), dtype=np.int64)))
        self.directory.mark(marks)
        self.reasons.update(marks)

    @rule(data=st.data())
    def unmark(self, data: st.DataObject) -> None:
        rows = data.draw(st.sets(st.sampled_from(sorted(self.reasons))) if self.reasons else st.just(set()))
        array = np.array(sorted(rows), dtype=np.int64)
        self.ledger.unmark(array.tolist(), self.directory.ids(array))
        self.directory.unmark(array)
        self.reasons = {row: reason for row, reason in self.reasons.items() if row not in rows}

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.path)
        self.directory = Directory(self.ledger)

    @invariant()
    def it_tells_what_is_there(self) -> None:
        directory, alive = self.directory, self.alive()
        assert directory.rows == len(self.kept)
        assert np.flatnonzero(directory.alive).tolist() == alive
        assert np.flatnonzero(directory.retrievable).tolist() == [row for row in alive if row not in self.reasons]
        assert directory.reasons == self.reasons
        there = [self.kept[row] for row in alive]
        assert directory.caption_count() == len({p.caption_id for p in there})
        assert directory.job_count() == len({p.job for p in there} - {""})
        assert directory.origin_counts() == {o: n for o in ORIGINS if (n := sum(p.origin == o for p in there))}
        assert directory.noun_counts() == {n: sum(p.noun == n for p in there) for n in sorted({p.noun for p in there})}
        rows = np.arange(len(self.kept))
        assert directory.nouns(rows) == tuple(p.noun for p in self.kept)
        assert directory.origins(rows) == tuple(p.origin for p in self.kept)
        assert directory.is_marked(rows).tolist() == [row in self.reasons for row in rows]
        found = directory.find(unpack_ids(directory.ids(rows)))
        assert found.tolist() == [row if row not in self.gone else -1 for row in rows.tolist()]
        for selection in (
            Selection(),
            Selection(noun="a"),
            Selection(job="x", outlier=False),
            Selection(origin="exemplar"),
            Selection(outlier=True),
            Selection(caption_id=f"{3:016x}"),
        ):
            meant = [
                row
                for row in alive
                if all(
                    getattr(selection, name) in (None, getattr(self.kept[row], name))
                    for name in ("noun", "job", "caption_id", "origin")
                )
                and selection.outlier in (None, row in self.reasons)
            ]
            assert np.flatnonzero(directory.is_meant(selection)).tolist() == meant

    def teardown(self) -> None:
        self.ledger.close()


@pytest.mark.usefixtures("few_recent_rows")
def test_a_directory_follows_every_change(fast_folder: Path, make_prototypes: MakePrototypes) -> None:
    paths = (fast_folder / f"{number}.sqlite" for number in range(10_000))

    class Machine(Changes):
        make = staticmethod(make_prototypes)
        new_path = staticmethod(lambda: next(paths))

    case = Machine.TestCase
    case.settings = settings(max_examples=30, stateful_step_count=15, deadline=None, derandomize=True)
    case("runTest").runTest()
