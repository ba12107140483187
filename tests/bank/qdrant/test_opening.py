"""Making, opening and moving the folder of a bank, and who owns it."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from freeda_svc.bank import ALL, PrototypeStore, make_or_open_folder, open_folder
from freeda_svc.bank.changes import EVERY_VECTOR
from freeda_svc.bank.engine import Point
from freeda_svc.bank.manifest import has_manifest
from freeda_svc.bank.points import INDEXES, prototype_of
from freeda_svc.bank.qdrant import folder as making
from freeda_svc.bank.qdrant.edge import EdgeEngine
from freeda_svc.bank.qdrant.folder import folder_in_the_making
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype
from tests.bank.qdrant import changing_process
from tests.bank.qdrant.conftest import StartChild

MakePrototypes = Callable[..., list[Prototype]]
PACK = "pack-of-the-tests"


def open_bank(folder: Path) -> PrototypeStore:
    return make_or_open_folder(folder, PACK, 5, 7)


each_way_to_open = pytest.mark.parametrize("open_it", [open_bank, open_folder])


def test_a_bank_opens_again_with_all_it_held(folder: Path, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(30)
    with open_bank(folder) as store:
        store.add(prototypes)
        (before,) = store.nearest(prototypes[3].key[np.newaxis], 10)
        payloads = store.payloads(before.ids)
        version = store.revision()
    with open_folder(folder) as store:
        assert (store.pack, store.key_dimension, store.vector_dimension) == (PACK, 5, 7)
        (after,) = store.nearest(prototypes[3].key[np.newaxis], 10)
        assert store.payloads(after.ids) == payloads
        assert store.revision() == version
    assert after.ids == before.ids
    np.testing.assert_array_equal(after.vectors, before.vectors)


def test_a_bank_can_be_moved(folder: Path, make_prototypes: MakePrototypes) -> None:
    with open_bank(folder) as store:
        store.add(make_prototypes(3))
    moved = folder.rename(folder.parent / "elsewhere")
    with open_bank(moved) as store:
        assert store.count() == 3


def test_fields_are_indexed_and_nothing_has_a_graph(folder: Path) -> None:
    open_bank(folder).close()
    shard = qdrant_edge.EdgeShard.load(str(folder / "shard"))
    schema = shard.info().payload_schema
    assert set(schema) == set(INDEXES)
    # otherwise opening reads them all
    assert all(index.params.memory == qdrant_edge.Memory.Cold for index in schema.values())
    shard.close()
    config = json.loads((folder / "shard" / "edge_config.json").read_text())
    assert {name: vector["hnsw_config"]["m"] for name, vector in config["vectors"].items()} == {
        "key": 0,
        "prototype": 0,
    }
    assert config["vectors"]["prototype"]["datatype"] == "float16"


def test_a_bank_that_is_opened_twice_is_the_same(folder: Path, make_prototypes: MakePrototypes) -> None:
    (folder.parent / "link").symlink_to(folder)
    with open_bank(folder) as first:
        with open_folder(folder.parent / "link") as second:
            first.add(make_prototypes(3))
            assert second.count() == 3
            assert second.revision() == first.revision()
            second.add(make_prototypes(5))
        second.close()
        with pytest.raises(UnavailableError, match=r"it is closed$"):
            second.count()
        assert first.count() == 5  # who closes one leaves the other open
    with pytest.raises(UnavailableError, match=r"it is closed$"):
        first.count()
    open_bank(folder).close()


def test_a_closed_bank_says_so_whatever_it_is_asked(folder: Path, make_prototypes: MakePrototypes) -> None:
    store = open_bank(folder)
    prototypes = make_prototypes(2)
    store.add(prototypes)
    ids = store.select(ALL)
    store.close()
    ones, sevens = np.ones((1, 5), dtype=np.float32), np.ones((1, 7), dtype=np.float32)
    asked: list[Callable[[], object]] = [
        lambda: store.add(make_prototypes(3)),
        lambda: store.nearest(ones, 1),
        lambda: store.nearest_prototypes(sevens, 1),
        lambda: store.vectors(ids),
        lambda: store.payloads(ids),
        lambda: store.select(ALL),
        store.count,
        lambda: store.forget(ids),
        lambda: store.mark(dict.fromkeys(ids, "odd")),
        lambda: store.unmark(ids),
        lambda: list(store.scan()),
        store.nouns,
        store.stats,
        store.optimize,
    ]
    for ask in asked:
        with pytest.raises(UnavailableError, match=r"^the bank .* does not answer: it is closed$"):
            ask()


def test_a_second_process_learns_who_holds_the_bank(fast_folder: Path, start_child: StartChild) -> None:
    bank = fast_folder / "bank"
    child = start_child(bank, [("add", number) for number in range(10_000)], None)
    child.read()
    for open_it in (changing_process.open_bank, open_folder):
        with pytest.raises(BusyError, match=f"is in use by process {child.pid}: wait") as caught:
            open_it(bank)
        assert "\n" not in str(caught.value)
    child.kill()
    child.finish()
    open_folder(bank).close()


def test_a_bank_of_another_pack_is_refused(folder: Path) -> None:
    open_bank(folder).close()
    with pytest.raises(InputError, match=f"made with pack {PACK}, not with other: use that pack, or give another bank"):
        make_or_open_folder(folder, "other", 5, 7)
    open_bank(folder).close()  # the refusal holds no lock


@pytest.mark.parametrize(("key_dimension", "vector_dimension"), [(6, 7), (5, 8)])
def test_a_bank_of_other_dimensions_is_refused(folder: Path, key_dimension: int, vector_dimension: int) -> None:
    open_bank(folder).close()
    with pytest.raises(InputError, match=f"5 and vectors of 7 values, not {key_dimension} and {vector_dimension}"):
        make_or_open_folder(folder, PACK, key_dimension, vector_dimension)


def test_a_bank_that_does_not_exist_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no bank .*: run `freeda ingest FILE` first"):
        open_folder(folder)
    assert not folder.exists()


@each_way_to_open
def test_a_folder_that_is_something_else_is_left_alone(folder: Path, open_it: Callable[[Path], PrototypeStore]) -> None:
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="is not a bank"):
        open_it(folder)
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_empty_folder_becomes_a_bank(folder: Path) -> None:
    folder.mkdir()
    with open_bank(folder) as store:
        assert store.count() == 0


@each_way_to_open
def test_a_file_is_not_a_bank(folder: Path, open_it: Callable[[Path], PrototypeStore]) -> None:
    folder.write_bytes(b"")
    with pytest.raises(InputError, match=r"is a file|is not a bank"):
        open_it(folder)


@each_way_to_open
def test_a_bank_below_a_file_is_one_line(folder: Path, open_it: Callable[[Path], PrototypeStore]) -> None:
    (folder.parent / "file").write_bytes(b"")
    with pytest.raises(FreedaError) as caught:
        open_it(folder.parent / "file" / "bank")
    assert "\n" not in str(caught.value)


@each_way_to_open
def test_a_bank_of_the_old_kind_says_how_to_move_it(folder: Path, open_it: Callable[[Path], PrototypeStore]) -> None:
    open_bank(folder).close()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    with pytest.raises(InputError, match=r"of the old kind.*release before .*export.*import") as caught:
        open_it(folder)
    assert "\n" not in str(caught.value)


def test_a_bank_that_was_made_by_two_at_once_is_that_of_the_first(folder: Path) -> None:
    """What comes later finds something in its place, and leaves it as it is."""
    with pytest.raises(InputError, match="is a bank already"), folder_in_the_making(folder):
        open_bank(folder).close()
    with open_folder(folder) as store:
        assert store.count() == 0
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_all_who_make_a_bank_at_once_have_the_same_one(folder: Path, make_prototypes: MakePrototypes) -> None:
    for number in range(5):
        with ThreadPoolExecutor(8) as threads:
            stores = list(threads.map(lambda _, number=number: open_bank(folder / str(number)), range(8)))
        stores[0].add(make_prototypes(3))
        assert {store.count() for store in stores} == {3}
        for store in stores:
            store.close()


def test_nobody_opens_a_bank_whose_maker_still_holds_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, opened = making.sync_folder, []

    def sync_and_open(place: Path) -> None:
        sync(place)
        if has_manifest(folder) and not opened:  # the folder has just become the bank
            opened.append(threads.submit(open_folder, folder))
            wait(opened, 0.2)

    monkeypatch.setattr(making, "sync_folder", sync_and_open)
    with ThreadPoolExecutor(1) as threads, open_bank(folder) as store, opened[0].result() as other:
        assert store.revision() == other.revision()


def test_a_bank_in_the_making_is_not_swept_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class AfterOthersSwept(FolderLock):
        def __init__(self, place: Path) -> None:
            if place != folder and not swept:
                swept.append(place)
                making.sweep(folder.parent)
            super().__init__(place)

    swept: list[Path] = []
    monkeypatch.setattr(making, "FolderLock", AfterOthersSwept)
    with open_bank(folder) as store:
        assert swept
        assert store.count() == 0


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="freeda-bank-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], None]]:
    """Gives up root's rights when called, so that permissions count; they come back after the test."""
    is_root = os.geteuid() == 0

    def give_up() -> None:
        if is_root:
            os.seteuid(65534)

    yield give_up
    if is_root:
        os.seteuid(0)


def test_a_folder_that_cannot_be_written_is_one_line(public_folder: Path, unprivileged: Callable[[], None]) -> None:
    public_folder.chmod(0o555)
    unprivileged()
    for folder in (public_folder, public_folder / "new"):
        with pytest.raises(UnavailableError, match=r"give a folder you may write to$") as caught:
            open_bank(folder)
        assert "\n" not in str(caught.value)


def test_a_bank_that_cannot_be_written_is_one_line(public_folder: Path, unprivileged: Callable[[], None]) -> None:
    bank = public_folder / "bank"
    open_bank(bank).close()
    (bank / "lock").chmod(0o444)
    bank.chmod(0o755)
    unprivileged()
    with pytest.raises(UnavailableError, match=r"cannot be written.*give a folder you may write to$"):
        open_folder(bank)


def test_a_bank_whose_files_cannot_be_written_is_one_line(
    public_folder: Path, unprivileged: Callable[[], None]
) -> None:
    bank = public_folder / "bank"
    open_bank(bank).close()
    bank.chmod(0o755)
    (bank / "lock").chmod(0o666)
    unprivileged()  # the shard is root's
    with pytest.raises(
        UnavailableError, match=r"^the bank .* cannot be opened \(.*ermission.*\): check the permissions of its files"
    ) as caught:
        open_folder(bank)
    assert "\n" not in str(caught.value)


def test_a_bank_without_its_manifest_is_not_made_anew(folder: Path, make_prototypes: MakePrototypes) -> None:
    with open_bank(folder) as store:
        store.add(make_prototypes(3))
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match="is not a bank"):
        open_bank(folder)
    (folder / "manifest.json").write_bytes(manifest)
    with open_bank(folder) as store:
        assert store.count() == 3


def test_a_bank_without_its_points_is_not_made_anew(folder: Path) -> None:
    open_bank(folder).close()
    shutil.rmtree(folder / "shard")
    for _ in range(2):
        with pytest.raises(InputError, match=r"has lost its points.*restore the bank from a backup, or import"):
            open_bank(folder)
    assert not (folder / "shard").exists()


def test_an_error_of_the_engine_while_it_writes_is_one_line(fast_folder: Path) -> None:
    bank = fast_folder / "bank"
    with changing_process.open_bank(bank) as store:
        changing_process.perform(store, ("add", 0))
        bad = Point(store.select(ALL)[0], {}, {"no such vector": np.zeros(3, dtype=np.float32)})
    with closing(EdgeEngine(bank, FolderLock(bank))) as engine:
        with pytest.raises(UnavailableError, match=r"^the bank .* does not answer: .*no such vector") as caught:
            engine.write([bad])
        assert "\n" not in str(caught.value)
        [point] = engine.retrieve([bad.id], payload=True, vectors=EVERY_VECTOR)
        assert prototype_of(point).seed == 0
