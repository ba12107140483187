"""Files of prototypes on their own, without a bank around them."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from freeda_svc.bank.manifest import Encoding
from freeda_svc.bank.moving.prototype_tables import read_prototypes, write_prototypes
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import Prototype

PACK = "pack-of-the-tests"
ENCODING = Encoding(PACK, 5, 7)
MakeSome = Callable[..., list[Prototype]]


@pytest.fixture
def held(make_some: MakeSome) -> list[Prototype]:
    """Seven prototypes, every third of them without an appearance."""
    rows = np.random.default_rng(3).normal(size=(7, 5))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
    return [replace(one, appearance=rows[i] if i % 3 else None) for i, one in enumerate(make_some(7))]


def write(path: Path, *lists: list[Prototype]) -> pa.Table:
    write_prototypes(path, lists, ENCODING)
    return parquet.read_table(path)


def read(table: pa.Table) -> list[Prototype]:
    file = BytesIO()
    parquet.write_table(table, file)
    return read_prototypes(file.getvalue(), "part", rows=len(table), encoding=ENCODING)


def test_appearances_come_back_as_they_were_and_none_where_there_was_none(
    held: list[Prototype], tmp_path: Path
) -> None:
    table = write(tmp_path / "a", held[:4], held[4:])
    found = read(table)
    assert [one.appearance is None for one in found] == [True, False, False, True, False, False, True]
    for one, other in zip(held, found, strict=True):
        if one.appearance is not None and other.appearance is not None:
            assert other.appearance.dtype == np.float32
            np.testing.assert_array_equal(other.appearance, one.appearance)
    assert write(tmp_path / "b", found).equals(table)
    assert table.schema.field("appearance").type.value_type == pa.float16()


def test_appearances_of_more_rows_than_are_read_at_once_stay_with_their_prototypes(
    held: list[Prototype], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freeda_svc.bank.moving.prototype_tables.ROWS_AT_ONCE", 3)
    for one, other in zip(held, read(write(tmp_path / "a", held)), strict=True):
        np.testing.assert_array_equal(one.appearance, other.appearance)  # None is None


def test_a_file_of_before_has_no_appearances(held: list[Prototype], tmp_path: Path) -> None:
    found = read(write(tmp_path / "a", held).drop_columns(["appearance"]))
    assert [one.caption_id for one in found] == [one.caption_id for one in held]
    assert [one.appearance for one in found] == [None] * 7


def test_who_drew_it_comes_back_and_is_empty_where_a_file_of_before_does_not_say(
    make_some: MakeSome, tmp_path: Path
) -> None:
    mixed = [
        replace(one, pack=f"pack-{i % 2}", encoders=PACK, generator=f"someone/painter-{i % 2}")
        for i, one in enumerate(make_some(4))
    ]
    table = write(tmp_path / "a", mixed)
    assert [(one.pack, one.encoders, one.generator) for one in read(table)] == [
        (one.pack, PACK, one.generator) for one in mixed
    ]
    of_before = write(tmp_path / "b", make_some(2)).drop_columns(["encoders", "generator", "appearance"])
    assert [(one.encoders, one.generator) for one in read(of_before)] == [("", "")] * 2
    with pytest.raises(InputError, match="made with pack pack-0, but the bank holds pack pack-of-the-tests"):
        read(table.drop_columns(["encoders"]))
    with pytest.raises(InputError, match="with the encoders others, but the bank holds pack pack-of-the-tests"):
        read(write(tmp_path / "c", [replace(one, encoders="others") for one in mixed]))


def test_prototypes_without_appearances_are_written(make_some: MakeSome, tmp_path: Path) -> None:
    held = [replace(one, appearance=None) for one in make_some(3)]
    assert [one.appearance for one in read(write(tmp_path / "a", held))] == [None] * 3


NAME = "appearance"
LISTED = pa.list_(pa.field("element", pa.float16(), nullable=False))
FIELD = pa.field(NAME, LISTED, nullable=False)
FOUR = [np.float16(value) for value in (0.6, 0, 0, -0.8)]


@pytest.mark.parametrize(
    ("values", "field", "match"),
    [
        (FOUR, FIELD, "part: an appearance of 4 values, expected 5 or none"),
        ([*FOUR, *FOUR], FIELD, "an appearance of 8 values"),
        ([*FOUR, np.float16("nan")], FIELD, "its appearance has values that are not finite"),
        ([*FOUR, np.float16(1)], FIELD, "its appearance has length 1.414, expected 1"),
        (None, pa.field(NAME, LISTED), "column appearance holds .* or null"),
        ([0.6, 0, 0, 0, -0.8], pa.field(NAME, pa.list_(pa.float64()), nullable=False), "appearance holds .*double"),
    ],
)
def test_appearances_that_no_bank_held_are_refused_in_one_line(
    held: list[Prototype], tmp_path: Path, values: list[np.float16] | None, field: pa.Field, match: str
) -> None:
    table = write(tmp_path / "a", held[1:4])
    column = pa.array([values] * 3, type=field.type)
    with pytest.raises(InputError, match=match) as caught:
        read(table.set_column(table.schema.get_field_index(NAME), field, column))
    assert "\n" not in str(caught.value)
