import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeda_svc.bank import ALL, PrototypeStore
from freeda_svc.bank import store as store_module
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.moving import import_faiss, look_at_published
from freeda_svc.bank.moving.published_bank import open_index, read_prototype_file
from freeda_svc.errors import InputError, NotFoundError, UnavailableError

faiss = pytest.importorskip("faiss")

OpenStore = Callable[..., PrototypeStore]
Refused = Callable[..., str]
Rows = npt.NDArray[np.float32]


@pytest.fixture
def keys() -> Rows:
    return np.random.default_rng(1).normal(size=(10, 5)).astype(np.float32)


@pytest.fixture
def vectors() -> Rows:
    return np.random.default_rng(2).normal(size=(10, 7)).astype(np.float32)


@pytest.fixture
def index(tmp_path: Path, keys: Rows) -> Path:
    return write_index(tmp_path / "keys.index", faiss.IndexFlatIP(5), keys)


@pytest.fixture
def prototypes(tmp_path: Path, vectors: Rows) -> Path:
    """Files 0.npy to 9.npy, every second of shape (1, Dv)."""
    folder = tmp_path / "prototypes"
    folder.mkdir()
    for i, vector in enumerate(vectors):
        np.save(folder / f"{i}.npy", vector[np.newaxis] if i % 2 else vector)
    return folder


def write_index(path: Path, index: object, keys: Rows) -> Path:
    if not index.is_trained:
        index.train(keys)
    index.add(keys)
    faiss.write_index(index, str(path))
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda: faiss.IndexFlatIP(5),
        lambda: faiss.IndexFlatL2(5),
        lambda: faiss.IndexFlat(5, faiss.METRIC_INNER_PRODUCT),
        lambda: faiss.IndexHNSWFlat(5, 4),
        lambda: faiss.IndexHNSWFlat(5, 4, faiss.METRIC_INNER_PRODUCT),
    ],
)
def test_row_i_belongs_to_the_i_th_file(
    *,
    open_store: OpenStore,
    prototypes: Path,
    keys: Rows,
    vectors: Rows,
    tmp_path: Path,
    make: Callable[[], object],
) -> None:
    path = write_index(tmp_path / "keys.index", make(), keys)
    store = open_store()
    told: list[tuple[int, int]] = []
    report = import_faiss(path, prototypes, store, on_progress=lambda *done: told.append(done), rows_at_once=4)
    assert (report.rows, report.added, report.left_out) == (10, 10, 0)
    assert told == [(4, 10), (8, 10), (10, 10)]
    held = {prototype.caption_id: prototype for some in store.scan() for prototype in some}
    assert sorted(held) == [str(i) for i in range(10)]
    for i in range(10):
        np.testing.assert_array_equal(held[str(i)].key, unit_rows(keys[i : i + 1])[0])
        np.testing.assert_array_equal(held[str(i)].vector, vectors[i].astype(np.float16).astype(np.float32))


def test_a_large_one_is_packed(
    open_store: OpenStore, index: Path, prototypes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[int] = []
    monkeypatch.setattr(store_module, "WORTH_PACKING", 10)
    monkeypatch.setattr(PrototypeStore, "optimize", lambda store: packed.append(store.count()))
    import_faiss(index, prototypes, open_store())
    assert packed == [10]


def test_what_was_not_published_is_left_empty(open_store: OpenStore, index: Path, prototypes: Path) -> None:
    store = open_store()
    import_faiss(index, prototypes, store)
    payload = store.payloads(store.select(ALL)[:1])[0]
    assert payload == {
        "noun": "",
        "caption_id": payload["caption_id"],
        "caption": "",
        "spans": [],
        "seed": 0,
        "mask_area": 0.0,
        "contrast": 0.0,
        "image_text_score": 0.0,
        "pack": store.pack,
        "encoders": "",
        "generator": "",
        "job": "",
        "origin": "imported",
        "outlier": "",
        "image": "",
        "mask": "",
        "attribution": "",
    }


def test_files_are_in_the_order_of_their_whole_names(
    open_store: OpenStore, index: Path, prototypes: Path, vectors: Rows, keys: Rows
) -> None:
    # "10" comes before "2", "a-b" before "a" because the ending counts, and other files do not.
    names = ["1", "10", "2", "9", "A", "a-b", "a", "b", "é", "犬"]
    for path in prototypes.iterdir():
        path.unlink()
    for name, vector in zip(names, vectors, strict=True):
        np.save(prototypes / f"{name}.npy", vector)
    (prototypes / "0.txt").write_text("notes")
    (prototypes / "._1.npy").write_bytes(b"\0\5\26\7junk")  # what some systems put beside a file
    store = open_store()
    import_faiss(index, prototypes, store)
    found = {p.caption_id: p.key for some in store.scan() for p in some}
    for name, key in zip(names, unit_rows(keys), strict=True):
        np.testing.assert_array_equal(found[name], key)


def test_importing_again_adds_what_is_missing(
    open_store: OpenStore, index: Path, prototypes: Path, refused: Refused
) -> None:
    sound = (prototypes / "5.npy").read_bytes()
    (prototypes / "5.npy").write_bytes(sound[:-1])
    store = open_store()
    refused(InputError, r"5\.npy", import_faiss, index, prototypes, store, rows_at_once=4)
    assert store.count() == 4
    (prototypes / "5.npy").write_bytes(sound)
    assert import_faiss(index, prototypes, store).added == 6
    assert import_faiss(index, prototypes, store).added == 0


def test_rows_that_cannot_be_used_are_left_out_and_counted(
    open_store: OpenStore, prototypes: Path, keys: Rows, vectors: Rows, tmp_path: Path
) -> None:
    keys[1, 2] = np.nan
    keys[2] = 0.0
    np.save(prototypes / "4.npy", np.where(np.arange(7) == 3, np.nan, vectors[4]))
    np.save(prototypes / "5.npy", np.where(np.arange(7) == 3, -np.inf, vectors[5]))
    np.save(prototypes / "6.npy", np.full(7, 70_000.0, np.float32))  # infinite in half precision
    np.save(prototypes / "7.npy", np.full(7, 1e300))  # infinite in single precision
    store = open_store()
    report = import_faiss(write_index(tmp_path / "i", faiss.IndexFlatIP(5), keys), prototypes, store)
    assert (report.rows, report.added, report.left_out) == (10, 4, 6)
    assert {p.caption_id for some in store.scan() for p in some} == {"0", "3", "8", "9"}


def test_half_and_double_precision_are_read(
    open_store: OpenStore, index: Path, prototypes: Path, vectors: Rows
) -> None:
    np.save(prototypes / "0.npy", vectors[0].astype(np.float16))
    np.save(prototypes / "1.npy", vectors[1].astype(">f8"))
    store = open_store()
    import_faiss(index, prototypes, store)
    held = {p.caption_id: p.vector for some in store.scan() for p in some}
    for i in (0, 1):
        np.testing.assert_array_equal(held[str(i)], vectors[i].astype(np.float16).astype(np.float32))


def test_an_empty_published_bank_adds_nothing(open_store: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    path = write_index(tmp_path / "i", faiss.IndexFlatIP(5), np.empty((0, 5), np.float32))
    assert import_faiss(path, tmp_path / "none", open_store()).rows == 0


def test_another_number_of_files_than_of_keys_is_refused(
    open_store: OpenStore, index: Path, prototypes: Path, refused: Refused
) -> None:
    (prototypes / "3.npy").unlink()
    store = open_store()
    refused(InputError, "has 10 keys, but .* has 9 .npy files", import_faiss, index, prototypes, store)
    assert store.count() == 0


def test_keys_of_another_dimension_are_refused(
    open_store: OpenStore, index: Path, prototypes: Path, refused: Refused
) -> None:
    store = open_store(dimensions=(6, 7))
    refused(InputError, "keys of 5 values, but the bank's have 6", import_faiss, index, prototypes, store)


def test_what_is_not_there_is_said(open_store: OpenStore, index: Path, prototypes: Path, refused: Refused) -> None:
    refused(NotFoundError, "no faiss index", import_faiss, index.parent / "none", prototypes, open_store())
    refused(NotFoundError, "no faiss index", import_faiss, prototypes, prototypes, open_store())
    refused(NotFoundError, "no folder", import_faiss, index, index, open_store())


@pytest.mark.parametrize(
    "make",
    [
        lambda: faiss.index_factory(4, "IVF2,Flat"),
        lambda: faiss.index_factory(4, "PCA2,Flat"),
        lambda: faiss.index_factory(4, "HNSW4,SQ8"),
        lambda: faiss.index_factory(4, "IDMap,Flat"),
        lambda: faiss.index_factory(4, "IDMap2,HNSW4"),
        lambda: faiss.index_factory(4, "Flat,RFlat"),
        lambda: faiss.IndexScalarQuantizer(4, faiss.ScalarQuantizer.QT_fp16),
        lambda: faiss.IndexFlat(4, faiss.METRIC_L1),
        lambda: faiss.IndexHNSWFlat(4, 4, faiss.METRIC_L1),
        lambda: faiss.IndexLSH(4, 8),
    ],
)
def test_indexes_that_do_not_hold_the_keys_as_they_were_are_refused(
    prototypes: Path, refused: Refused, tmp_path: Path, make: Callable[[], object]
) -> None:
    index = make()
    keys = np.random.default_rng(1).normal(size=(100, 4)).astype(np.float32)
    index.train(keys)
    if isinstance(index, faiss.IndexIDMap):
        index.add_with_ids(keys, np.arange(100)[::-1].copy())
    else:
        index.add(keys)
    faiss.write_index(index, str(tmp_path / "i"))
    refused(InputError, "no faiss index that holds its keys as they were", open_index, tmp_path / "i")


@pytest.mark.parametrize("make", [lambda: faiss.IndexFlatIP(5), lambda: faiss.IndexHNSWFlat(5, 4)])
def test_an_index_that_is_cut_off_anywhere_is_refused(
    keys: Rows, refused: Refused, tmp_path: Path, make: Callable[[], object]
) -> None:
    path = write_index(tmp_path / "i", make(), keys)
    whole = path.read_bytes()
    assert open_index(path).ntotal == 10
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(InputError, "cut off or damaged", open_index, path)
    path.write_bytes(b"not an index of faiss, but longer than a header of one")
    refused(InputError, "cannot be read as a faiss index", open_index, path)


@settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_headers_of_indexes_are_refused_in_one_line(keys: Rows, tmp_path: Path, data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([faiss.IndexFlatIP, lambda dimension: faiss.IndexHNSWFlat(dimension, 4)]))
    path = write_index(tmp_path / "i", make(5), keys)
    content = bytearray(path.read_bytes())
    header = data.draw(st.sampled_from([0, len(content) - 10 * 5 * 4 - 45]))
    content[header + data.draw(st.integers(0, 44))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = open_index(path)
    except InputError as error:
        assert_one_line(error)
    else:
        assert found.reconstruct_n(0, found.ntotal).shape == (found.ntotal, found.d)


def test_without_faiss_the_extra_is_named(
    open_store: OpenStore, index: Path, prototypes: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    match = r"needs faiss .*; pip install 'freeda-svc\[faiss\]'"
    refused(UnavailableError, match, look_at_published, index, prototypes)
    refused(UnavailableError, match, import_faiss, index, prototypes, open_store())


def assert_one_line(error: Exception) -> None:
    assert str(error).strip()
    assert "\n" not in str(error)


def save_several(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), a=np.zeros(7))
    path.with_suffix(".npz").replace(path)


def save_objects(path: Path) -> None:
    np.save(path, np.array([{"run": "me"}] * 7, dtype=object), allow_pickle=True)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (save_objects, "cannot be read as an .npy file"),
        (lambda path: path.write_bytes(pickle.dumps(Trap())), "cannot be read as an .npy file"),
        (lambda path: np.save(path, np.array([Trap()], dtype=object), allow_pickle=True), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read as an .npy file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), "cannot be read as an .npy file"),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), "cannot be read as an .npy file"),
        (save_several, "cannot be read as an .npy file"),
        (
            lambda path: np.save(path, np.zeros(8, np.float32)),
            r"float32 of shape \(8,\), expected floats of shape \(7,",
        ),
        (lambda path: np.save(path, np.zeros((7, 1), np.float32)), r"shape \(7, 1\)"),
        (lambda path: np.save(path, np.zeros((2, 7), np.float32)), r"shape \(2, 7\)"),
        (lambda path: np.save(path, np.float32(1)), r"shape \(\)"),
        (lambda path: np.save(path, np.zeros(7, np.int64)), "holds int64"),
        (lambda path: np.save(path, np.zeros(7, np.complex64)), "holds complex64"),
    ],
)
def test_files_that_hold_no_prototype_are_refused(
    *,
    open_store: OpenStore,
    index: Path,
    prototypes: Path,
    refused: Refused,
    write: Callable[[Path], object],
    match: str,
) -> None:
    write(prototypes / "3.npy")
    store = open_store()
    assert "3.npy" in refused(InputError, match, import_faiss, index, prototypes, store)
    assert store.count() == 0


@settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_headers_of_files_are_refused_in_one_line(
    index: Path, prototypes: Path, refused: Refused, data: st.DataObject, vectors: Rows
) -> None:
    path = prototypes / "3.npy"
    np.save(path, vectors[3])
    sound = path.read_bytes()
    place = data.draw(st.integers(0, 80))
    path.write_bytes(sound[:place] + data.draw(st.binary(min_size=1, max_size=4)) + sound[place + 1 :])
    try:
        read_prototype_file(path, 7)
    except InputError as error:
        assert_one_line(error)


def test_names_that_are_not_utf_8_are_refused(
    open_store: OpenStore, index: Path, prototypes: Path, refused: Refused
) -> None:
    (prototypes / "3.npy").rename(str(prototypes / "3") + "\udcff.npy")
    refused(InputError, "not UTF-8", import_faiss, index, prototypes, open_store())
