import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from freeda_svc.bank import EmbeddedStore
from freeda_svc.bank.embedded.folder import create_bank
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]
PACK = "pack-of-the-tests"


def open_bank(folder: Path) -> EmbeddedStore:
    return EmbeddedStore.open(folder, PACK, 5, 7)


def test_a_bank_opens_again_with_all_it_held(folder: Path, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(30)
    with open_bank(folder) as store:
        store.add(prototypes)
        (before,) = store.nearest(prototypes[3].key[np.newaxis], 10)
        payloads = store.payloads(before.ids)
    with EmbeddedStore.open_existing(folder) as store:
        assert (store.pack, store.key_dimension, store.vector_dimension) == (PACK, 5, 7)
        (after,) = store.nearest(prototypes[3].key[np.newaxis], 10)
        assert store.payloads(after.ids) == payloads
    assert after.ids == before.ids
    np.testing.assert_array_equal(after.vectors, before.vectors)


def test_what_is_added_is_in_the_segments_and_not_only_in_the_log(
    folder: Path, tmp_path: Path, make_prototypes: MakePrototypes
) -> None:
    # A killed process keeps both; here only what the flush wrote is left.
    with open_bank(folder) as store:
        store.add(make_prototypes(30))
        shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("wal"))
    with open_bank(tmp_path / "copy") as copy:
        assert copy.count() == 30


def test_a_bank_can_be_moved(folder: Path, tmp_path: Path, make_prototypes: MakePrototypes) -> None:
    with open_bank(folder) as store:
        store.add(make_prototypes(3))
    moved = folder.rename(tmp_path / "elsewhere")
    with open_bank(moved) as store:
        assert store.count() == 3


def test_fields_are_indexed_and_keys_have_no_graph(folder: Path) -> None:
    open_bank(folder).close()
    shard = qdrant_edge.EdgeShard.load(str(folder / "shard"))
    assert set(shard.info().payload_schema) == {"noun", "job", "origin", "marked"}
    shard.close()
    config = json.loads((folder / "shard" / "edge_config.json").read_text())
    assert {name: vector["hnsw_config"]["m"] for name, vector in config["vectors"].items()} == {
        "key": 0,
        "prototype": 0,
    }
    assert config["vectors"]["prototype"]["datatype"] == "float16"


def test_a_bank_is_opened_once_at_a_time(folder: Path) -> None:
    with open_bank(folder), pytest.raises(BusyError, match=f"in use by process {os.getpid()}"):
        open_bank(folder)
    open_bank(folder).close()


def test_a_closed_bank_says_so(folder: Path) -> None:
    store = open_bank(folder)
    store.close()
    with pytest.raises(UnavailableError, match="does not answer"):
        store.count()


def test_a_bank_of_another_pack_is_refused(folder: Path) -> None:
    open_bank(folder).close()
    with pytest.raises(InputError, match=f"made with pack {PACK}, not with other: use that pack, or give another bank"):
        EmbeddedStore.open(folder, "other", 5, 7)
    open_bank(folder).close()  # the refusal has let go of the lock


@pytest.mark.parametrize(("key_dimension", "vector_dimension"), [(6, 7), (5, 8)])
def test_a_bank_of_other_dimensions_is_refused(folder: Path, key_dimension: int, vector_dimension: int) -> None:
    open_bank(folder).close()
    with pytest.raises(InputError, match=f"5 and vectors of 7 values, not {key_dimension} and {vector_dimension}"):
        EmbeddedStore.open(folder, PACK, key_dimension, vector_dimension)


def test_a_bank_that_does_not_exist_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no bank .*: run `freeda ingest FILE` first"):
        EmbeddedStore.open_existing(folder)
    assert not folder.exists()


@pytest.mark.parametrize("open_it", [open_bank, EmbeddedStore.open_existing])
def test_a_folder_that_is_something_else_is_left_alone(folder: Path, open_it: Callable[[Path], EmbeddedStore]) -> None:
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="is not a bank"):
        open_it(folder)
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("open_it", [open_bank, EmbeddedStore.open_existing])
def test_a_file_is_not_a_bank(folder: Path, open_it: Callable[[Path], EmbeddedStore]) -> None:
    folder.write_bytes(b"")
    with pytest.raises(InputError, match=r"is a file|is not a bank"):
        open_it(folder)


@pytest.mark.parametrize("open_it", [open_bank, EmbeddedStore.open_existing])
def test_a_bank_below_a_file_is_one_line(tmp_path: Path, open_it: Callable[[Path], EmbeddedStore]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FreedaError) as caught:
        open_it(tmp_path / "file" / "bank")
    assert "\n" not in str(caught.value)


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
        EmbeddedStore.open_existing(bank)


def test_making_a_bank_that_was_cut_off_begins_again(folder: Path) -> None:
    folder.mkdir()
    (folder / "lock").write_text("1")
    create_bank(folder, new_manifest("of the one that was cut off", 3, 3))
    (folder / "manifest.json").rename(folder / "manifest.json.partial")
    with open_bank(folder) as store:
        assert store.count() == 0
    names = {path.name for path in folder.iterdir()}
    assert {"lock", "manifest.json", "shard", "ledger.sqlite"} <= names
    assert not [name for name in names if name.endswith(".partial")]


def test_making_a_bank_that_was_cut_off_before_the_rename_is_finished(folder: Path) -> None:
    folder.mkdir()
    create_bank(folder, new_manifest(PACK, 5, 7))
    assert not (folder / "shard").exists()
    with EmbeddedStore.open_existing(folder) as store:
        assert store.count() == 0


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
    with pytest.raises(InputError, match="has lost its points"):
        open_bank(folder)


def test_a_broken_shard_is_one_line(folder: Path, make_prototypes: MakePrototypes) -> None:
    open_bank(folder).close()
    (folder / "shard" / "edge_config.json").write_text("{")
    with open_bank(folder) as store, pytest.raises(UnavailableError, match="does not answer") as caught:
        store.add(make_prototypes(1))
    assert "\n" not in str(caught.value)


def test_the_engines_error_while_writing_is_one_line(folder: Path, make_prototypes: MakePrototypes) -> None:
    store = open_bank(folder)
    store.close()
    with pytest.raises(UnavailableError, match="does not answer") as caught:
        store.add(make_prototypes(2))
    assert "\n" not in str(caught.value)
