import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from freeda_svc.bank import BankName, PrototypeStore, Selection, point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.moving import export_bank, import_bank, verify_archive
from freeda_svc.bank.qdrant.connection import Connection
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.input_files import is_below
from freeda_svc.prototypes.record import ORIGINS, Prototype

PACK = "pack-of-the-tests"
OpenStore = Callable[..., PrototypeStore]
MakeSome = Callable[..., list[Prototype]]
ReadTable = Callable[[Path], pa.Table]

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NUMBERS = st.floats(-1.0, 1.0)


@st.composite
def prototypes(draw: st.DrawFn) -> list[Prototype]:
    number = draw(st.integers(0, 9))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    vectors = generator.normal(size=(number, 12)).astype(np.float32)
    looks = generator.normal(size=(number, 5)).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    return [
        Prototype(
            noun=draw(WORDS),
            caption_id=f"{i:016x}",
            caption=(caption := draw(WORDS)),
            spans=tuple((start, len(caption)) for start in draw(st.lists(st.integers(0, len(caption)), max_size=2))),
            seed=draw(st.integers(0, 2**63 - 1)),
            key=vectors[i, :5],
            vector=vectors[i, 5:],
            appearance=looks[i] if draw(st.booleans()) else None,
            mask_area=draw(NUMBERS),
            contrast=draw(NUMBERS),
            image_text_score=draw(NUMBERS),
            pack=PACK,
            job=draw(WORDS),
            origin=draw(st.sampled_from(ORIGINS)),
            outlier=draw(WORDS),
            image=draw(WORDS.filter(lambda path: not path or (is_below(path) and "\0" not in path))),
        )
        for i in range(number)
    ]


@settings(derandomize=True, deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=prototypes(), rows_a_part=st.integers(1, 10))
def test_a_bank_comes_out_of_another_bank_as_it_went_in(
    held: list[Prototype],
    rows_a_part: int,
    open_store: OpenStore,
    read_table: ReadTable,
    tmp_path: Path,
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    first, second = open_store(held), open_store()
    export_bank(first, folder / "a", parameters={}, rows_a_part=rows_a_part)
    assert import_bank(folder / "a", second).added == len(held)
    export_bank(second, folder / "b", parameters={})
    assert second.count() == len(held)
    if held:
        assert read_table(folder / "a").equals(read_table(folder / "b"))
    verify_archive(folder / "a")
    first.close()
    second.close()


def test_a_bank_moves_between_engines_as_it_is(
    open_store: OpenStore, make_some: MakeSome, read_table: ReadTable, local_connection: Connection, tmp_path: Path
) -> None:
    banks, bank = ServerBanks(local_connection), BankName("moved", 1)
    banks.create(bank, PACK, 5, 7)
    server, embedded = banks.open(bank), open_store()
    export_bank(open_store(make_some(60)), tmp_path / "a", parameters={})
    assert import_bank(tmp_path / "a", server).added == 60
    export_bank(server, tmp_path / "b", parameters={}, rows_a_part=25)
    assert import_bank(tmp_path / "b", embedded).added == 60
    export_bank(embedded, tmp_path / "c", parameters={}, rows_a_part=7)
    assert read_table(tmp_path / "a").equals(read_table(tmp_path / "b"))
    assert read_table(tmp_path / "a").equals(read_table(tmp_path / "c"))
    assert server.stats().outliers == embedded.stats().outliers == 12


def test_an_archive_holds_everything_of_a_prototype(
    open_store: OpenStore, make_some: MakeSome, read_table: ReadTable, tmp_path: Path
) -> None:
    held = make_some(8)
    export_bank(open_store(held), tmp_path, parameters={}, rows_a_part=3)
    rows = {row["id"]: row for row in read_table(tmp_path).to_pylist()}
    names = {field.name for field in fields(Prototype)} - {"vector"} | {"id", "prototype"}
    assert rows.keys() == {point_id(prototype) for prototype in held}
    for prototype in held:
        row = rows[point_id(prototype)]
        assert row.keys() == names
        np.testing.assert_array_equal(np.float32(row.pop("key")), unit_rows(prototype.key[np.newaxis])[0])
        np.testing.assert_array_equal(np.float16(row.pop("prototype")), prototype.vector.astype(np.float16))
        appearance = [] if prototype.appearance is None else prototype.appearance.astype(np.float16)
        np.testing.assert_array_equal(np.float16(row.pop("appearance")), appearance)
        assert [tuple(span) for span in row.pop("spans")] == list(prototype.spans)
        assert row.pop("id") == point_id(prototype)
        for number in ("mask_area", "contrast", "image_text_score"):
            assert row.pop(number) == round(getattr(prototype, number), 12)
        assert row == {name: getattr(prototype, name) for name in row}


def test_columns_have_the_types_that_are_documented(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    export_bank(open_store(make_some(2)), tmp_path, parameters={})
    schema = parquet.read_schema(tmp_path / "prototypes-00000.parquet")
    assert schema.field("key").type.value_type == pa.float32()
    assert schema.field("key").type.list_size == 5
    assert schema.field("prototype").type.value_type == pa.float16()
    assert schema.field("prototype").type.list_size == 7
    assert not any(field.nullable for field in schema)


def test_the_manifest_counts_what_is_there(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    parameters = {"gamma": 0.45, "generation": {"steps": 50, "size": (512, 512)}}
    store = open_store(make_some(10))
    report = export_bank(store, tmp_path, parameters=parameters, rows_a_part=4)
    manifest = verify_archive(tmp_path)
    assert manifest == report.manifest
    assert (manifest.pack, manifest.key_dimension, manifest.vector_dimension) == (PACK, 5, 7)
    assert manifest.parameters == {"gamma": 0.45, "generation": {"steps": 50, "size": [512, 512]}}
    assert (manifest.prototypes, manifest.outliers) == (10, 2)
    assert manifest.nouns == store.nouns() == {"crème brûlée": 3, "dog": 4, "tree": 3}
    assert manifest.origins == {"generated": 4, "exemplar": 3, "imported": 3}
    assert [part.prototypes.rows for part in manifest.parts] == [4, 4, 2]
    assert {path.name for path in tmp_path.iterdir()} == {
        "manifest.json",
        *(part.prototypes.file for part in manifest.parts),
    }


def test_an_empty_bank_can_be_moved(open_store: OpenStore, tmp_path: Path) -> None:
    assert export_bank(open_store(), tmp_path / "new" / "folder", parameters={}).manifest.parts == ()
    assert import_bank(tmp_path / "new" / "folder", open_store()).added == 0


def test_importing_again_adds_nothing(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    export_bank(open_store(make_some(10)), tmp_path, parameters={}, rows_a_part=4)
    store = open_store()
    assert import_bank(tmp_path, store).added == 10
    before = store.revision()
    assert import_bank(tmp_path, store).added == 0
    assert store.revision() == before


def test_what_a_bank_has_already_stays_as_it_is(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    held = make_some(10)
    export_bank(open_store(held), tmp_path, parameters={}, rows_a_part=4)
    mine = [replace(prototype, caption="mine", spans=()) for prototype in held[2:5]]
    store = open_store([*mine, *make_some(3, start=50)])
    assert import_bank(tmp_path, store).added == 7
    assert store.count() == 13
    assert [payload["caption"] for payload in store.payloads([point_id(p) for p in held[1:6]])] == [
        held[1].caption,
        "mine",
        "mine",
        "mine",
        held[5].caption,
    ]


def test_marks_move_and_can_be_taken_back(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    held = make_some(10)
    export_bank(open_store(held), tmp_path, parameters={})
    store = open_store()
    import_bank(tmp_path, store)
    marked = {point_id(prototype) for prototype in held if prototype.outlier}
    assert set(store.select(Selection(outlier=True))) == marked
    found = store.nearest(np.stack([held[0].key]), 10)[0]
    assert set(found.ids) == {point_id(prototype) for prototype in held} - marked
    assert store.unmark(list(marked)) == 2


def test_progress_is_told(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    export_bank(open_store(make_some(10)), tmp_path, parameters={}, rows_a_part=4, on_progress=tell)
    import_bank(tmp_path, open_store(), on_progress=tell)
    verify_archive(tmp_path, on_progress=tell)
    assert told == [(4, 10), (8, 10), (10, 10)] * 3
