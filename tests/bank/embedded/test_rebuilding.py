"""What is lost of a bank, but for its points, is made again from these at the next opening."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import qdrant_edge as engine

from freeda_svc.bank import ALL, EmbeddedStore, Selection, point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.embedded import cones, opened
from freeda_svc.bank.embedded.folder import create_bank, load_shard
from freeda_svc.bank.embedded.ledger import Ledger
from freeda_svc.bank.embedded.rows import RowFile
from freeda_svc.bank.embedded.shard import Shard
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.points import make_payload
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]

PACK = "pack-of-the-tests"
KEYS, COARSE, VECTORS, LEDGER, CONES = (
    "keys.float32",
    "keys.float16",
    "prototypes.float16",
    "ledger.sqlite",
    "cones.npz",
)
QUERIES = np.random.default_rng(7).normal(size=(5, 5)).astype(np.float32)


def open_bank(folder: Path) -> EmbeddedStore:
    return EmbeddedStore.open(folder, PACK, 5, 7)


@pytest.fixture
def bank(fast_folder: Path, make_prototypes: MakePrototypes) -> Path:
    """A closed bank of three batches, some of it forgotten, some of it marked."""
    with open_bank(fast_folder / "bank") as store:
        for start in (0, 100, 200):
            store.add(make_prototypes(20, start=start, nouns=["dog", f"noun {start}"], outliers=[""] * 9 + ["odd"]))
        ids = store.select(ALL)
        store.forget([*ids[:3], *store.select(Selection(noun="noun 100"))])
        store.mark({ids[5]: "too small", ids[50]: "alone"})
        store.unmark([ids[59]])
    return fast_folder / "bank"


def read_everything(folder: Path) -> dict[str, Any]:
    """All there is to be read, by id or in the order of retrieval, so that the order of rows makes no difference."""
    with EmbeddedStore.open_existing(folder) as store:
        ids = store.select(ALL)
        scanned = {point_id(prototype): prototype for some in store.scan() for prototype in some}
        assert list(scanned) == ids
        stats = store.stats()
        return {
            "payloads": dict(zip(ids, store.payloads(ids), strict=True)),
            "keys": {identifier: found.key.tolist() for identifier, found in scanned.items()},
            "vectors": dict(zip(ids, store.vectors(ids).tolist(), strict=True)),
            "neighbours": [(found.ids, found.scores.tolist(), found.nouns) for found in store.nearest(QUERIES, 9)],
            "nouns": store.nouns(),
            "counts": (stats.prototypes, stats.captions, stats.jobs, stats.outliers, dict(stats.origins)),
        }


def lose(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut_off(path: Path) -> None:
    os.truncate(path, 50)


@pytest.mark.parametrize("damage", [lose, empty, cut_off])
@pytest.mark.parametrize("name", [KEYS, COARSE, VECTORS])
def test_row_files_are_made_again_as_they_were(bank: Path, name: str, damage: Callable[[Path], None]) -> None:
    before = read_everything(bank)
    files = sorted(path.name for path in bank.iterdir())
    with EmbeddedStore.open_existing(bank) as store:
        order = store.select(ALL)
    damage(bank / name)
    assert read_everything(bank) == before
    with EmbeddedStore.open_existing(bank) as store:
        assert store.select(ALL) == order
    assert sorted(path.name for path in bank.iterdir()) == files


def test_a_row_file_that_lacks_one_byte_is_made_again(bank: Path) -> None:
    before = read_everything(bank)
    os.truncate(bank / KEYS, (bank / KEYS).stat().st_size - 1)
    assert read_everything(bank) == before


def without_reasons(everything: dict[str, Any]) -> dict[str, Any]:
    return everything | {
        "payloads": {
            identifier: {**payload, "outlier": bool(payload["outlier"])}
            for identifier, payload in everything["payloads"].items()
        }
    }


@pytest.mark.parametrize("also", [(), (KEYS,), (CONES, COARSE, VECTORS)])
def test_a_lost_ledger_is_made_again_but_for_the_reasons_of_marks(bank: Path, also: tuple[str, ...]) -> None:
    before = read_everything(bank)
    for name in (LEDGER, *also):
        (bank / name).unlink(missing_ok=True)
    after = read_everything(bank)
    assert without_reasons(after) == without_reasons(before)
    reasons = {payload["outlier"] for payload in after["payloads"].values()}
    assert reasons == {"", "marked, the ledger with the reason was lost"}


def test_a_bank_that_was_made_again_goes_on(bank: Path, make_prototypes: MakePrototypes) -> None:
    (bank / LEDGER).unlink()
    with open_bank(bank) as store:
        count = store.count()
        assert store.add(make_prototypes(20, start=200, nouns=["dog", "noun 200"])) == 0
        assert store.add(make_prototypes(5, start=300, nouns=["cat"])) == 5
        assert store.unmark(store.select(Selection(outlier=True))) == 5
        assert store.forget(store.select(Selection(noun="dog"))) == 28
        kept = count + 5 - 28
        assert store.count() == kept
    everything = read_everything(bank)
    assert everything["nouns"] == {"cat": 5, "noun 0": 9, "noun 200": 10}
    assert everything["counts"][0] == kept


def test_a_log_that_a_lost_ledger_has_left_is_not_applied_to_the_new_one(bank: Path, tmp_path: Path) -> None:
    # As after a process was killed and somebody removed its broken ledger.
    with EmbeddedStore.open_existing(bank) as store:
        store.forget(store.select(ALL)[:2])
        shutil.copytree(bank, tmp_path / "copy")
    assert (tmp_path / "copy" / f"{LEDGER}-wal").stat().st_size > 0
    (tmp_path / "copy" / LEDGER).unlink()
    assert without_reasons(read_everything(tmp_path / "copy")) == without_reasons(read_everything(bank))


def brute_force(store: EmbeddedStore, queries: npt.NDArray[np.float32], k: int) -> list[list[str]]:
    prototypes = [p for some in store.scan(Selection(outlier=False)) for p in some]
    keys = np.stack([prototype.key for prototype in prototypes]).astype(np.float64)
    ids = [point_id(prototype) for prototype in prototypes]
    best = []
    for query in unit_rows(queries):
        scores = (keys @ query).astype(np.float32)
        order = sorted(range(len(ids)), key=lambda row, scores=scores: (-scores[row], ids[row]))
        best.append([ids[row] for row in order[:k]])
    return best


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("lost", [LEDGER, COARSE])
def test_search_stays_exact_when_rows_have_got_another_order(
    *, fast_folder: Path, make_prototypes: MakePrototypes, lost: str, forgotten: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Kept cones tell where the nouns of the former rows are; on other rows they would hide the nearest keys.
    monkeypatch.setattr(opened, "_RECENT_ROWS", 4)
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(12, 5))
    nouns = [f"noun {number}" for number in range(12)]
    keys = (centres[np.arange(240) % 12] + 0.02 * generator.normal(size=(240, 5))).astype(np.float32)
    with open_bank(fast_folder / "bank") as store:
        store.add(make_prototypes(keys=keys, nouns=nouns))
        if forgotten:
            store.forget(store.select(Selection(noun="noun 3"))[:15] + store.select(Selection(noun="noun 4")))
    assert (fast_folder / "bank" / CONES).exists()
    (fast_folder / "bank" / lost).unlink()
    with open_bank(fast_folder / "bank") as store:
        for _ in range(2):
            # One by one: a pass that several queries share may read what a wrong cone hides from one of them.
            found = [store.nearest(query[np.newaxis], 6)[0] for query in centres.astype(np.float32)]
            assert [list(neighbours.ids) for neighbours in found] == brute_force(store, centres.astype(np.float32), 6)
            # Of a noun of which nothing was left come new ones, when there are rows without keys.
            store.add(make_prototypes(keys=keys[4::12], nouns=["noun 4"], start=1000))


def test_cones_are_kept_and_used_again(
    fast_folder: Path, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "_RECENT_ROWS", 4)
    with open_bank(fast_folder / "bank") as store:
        store.add(make_prototypes(50))
    grown: list[int] = []
    monkeypatch.setattr(opened, "grow_cones", lambda had, *_: grown.append(had.rows) or had)
    open_bank(fast_folder / "bank").close()
    assert grown == []
    (fast_folder / "bank" / CONES).write_bytes(b"broken")
    monkeypatch.undo()
    monkeypatch.setattr(opened, "_RECENT_ROWS", 4)
    with open_bank(fast_folder / "bank") as store:
        assert len(store.nearest(QUERIES, 50)[0].ids) == 50
    assert cones.load_cones(fast_folder / "bank", 5, np.zeros(50, dtype=np.uint32) + np.uint32(1)).rows == 50


def test_cones_that_cannot_be_kept_stop_nothing(
    fast_folder: Path, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "_RECENT_ROWS", 4)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(opened, "save_cones", fail)
    with open_bank(fast_folder / "bank") as store:
        assert store.add(make_prototypes(50)) == 50
        assert len(store.nearest(QUERIES, 50)[0].ids) == 50
    with open_bank(fast_folder / "bank") as store:
        assert store.count() == 50


class Stopped(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("what", [(RowFile, "append"), (Ledger, "commit"), (Path, "replace"), (Shard, "scroll")])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_making_again_begins_anew_when_it_is_cut_off(
    bank: Path, what: tuple[type, str], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freeda_svc.bank.embedded.rebuilding._ROWS_AT_ONCE", 20)
    before = read_everything(bank)
    files = sorted(path.name for path in bank.iterdir())
    (bank / LEDGER).unlink()
    owner, name = what
    original = getattr(owner, name)
    done: list[int] = []

    def stop(*arguments: object, **named: object) -> object:
        if len(done) == times:
            raise Stopped
        done.append(1)
        return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        if (name, times) not in {("scroll", 1), ("scroll", 2)}:  # it goes through all points only once
            with pytest.raises(Stopped):
                open_bank(bank)
    assert without_reasons(read_everything(bank)) == without_reasons(before)
    assert sorted(path.name for path in bank.iterdir()) == files


@pytest.mark.parametrize("what", [(os, "pwrite"), (os, "fdatasync"), (Path, "replace"), (Path, "unlink")])
def test_a_full_disk_while_making_again_is_one_line(
    bank: Path, what: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_everything(bank)
    (bank / LEDGER).unlink()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if what != (os, "pwrite"):  # which writes who holds the lock, too
            patch.setattr(*what, fail)
        else:
            patch.setattr(RowFile, "append", lambda *_: _raise(UnavailableError("No space left on device")))
        with pytest.raises(UnavailableError, match="No space left on device") as caught:
            open_bank(bank)
    assert "\n" not in str(caught.value)
    assert without_reasons(read_everything(bank)) == without_reasons(before)


def _raise(error: Exception) -> None:
    raise error


def test_a_ledger_that_did_not_get_whole_to_the_disk_is_not_put_in_place(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Closing SQLite moves the log into the file; where the disk is full it does not, and says nothing.
    before = read_everything(bank)
    (bank / LEDGER).unlink()
    kept: list[Ledger] = []
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "close", lambda ledger: kept.append(ledger))  # noqa: PLW0108 - becomes a method
        with pytest.raises(UnavailableError, match=r"ledger .* cannot be written: make room on its disk"):
            open_bank(bank)
    for ledger in kept:
        ledger.close()
    assert without_reasons(read_everything(bank)) == without_reasons(before)


def test_points_that_the_ledger_lists_and_the_shard_has_lost_are_told(bank: Path) -> None:
    with EmbeddedStore.open_existing(bank) as store:
        ids = store.select(ALL)
    shard = Shard(bank)
    shard.delete(ids[:2])
    shard.close()
    # Retrieval does without the shard; what needs it says what is wrong.
    with EmbeddedStore.open_existing(bank) as store:
        assert store.vectors(ids).shape == (len(ids), 7)
        with pytest.raises(
            UnavailableError, match="has lost 2 points that its ledger lists: restore it from"
        ) as caught:
            store.payloads(ids)
    assert "\n" not in str(caught.value)
    (bank / KEYS).unlink()
    with pytest.raises(InputError, match="has lost points that its ledger lists: restore it from") as wrong:
        EmbeddedStore.open_existing(bank)
    assert "\n" not in str(wrong.value)


def test_a_bank_from_before_there_were_ledgers_is_taken(folder: Path, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(7)
    folder.mkdir()
    create_bank(folder, new_manifest(PACK, 5, 7))
    shard = load_shard(folder)
    later = {"origin", "outlier", "image", "mask", "attribution"}
    points = [
        engine.Point(
            point_id(prototype),
            {"key": prototype.key.tolist(), "prototype": prototype.vector.tolist()},
            {name: value for name, value in make_payload(prototype).items() if name not in later},
        )
        for prototype in prototypes
    ]
    shard.update(engine.UpdateOperation.upsert_points(points))
    shard.flush()
    shard.close()
    with open_bank(folder) as store:
        assert store.count() == 7
        assert store.add(prototypes) == 0
        assert sorted(store.nearest(QUERIES, 9)[0].ids) == sorted(point_id(prototype) for prototype in prototypes)
        assert store.stats().origins == {"generated": 7}
        assert store.mark({point_id(prototypes[0]): "odd"}) == 1
        np.testing.assert_array_equal(next(store.scan())[0].vector, store.vectors([store.select(ALL)[0]])[0])


def test_a_bank_without_its_points_is_not_made_again(bank: Path) -> None:
    shutil.rmtree(bank / "shard")
    (bank / LEDGER).unlink()
    with pytest.raises(InputError, match="has lost its points"):
        open_bank(bank)
