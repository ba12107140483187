from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from freeda_svc import parquet_files
from freeda_svc.errors import InputError
from freeda_svc.parquet_files import open_parquet


def opened(path: Path, columns: tuple[str, ...] = ("a",), most_rows: int = 100, **most_values: int) -> pa.Table:
    with path.open("rb") as file:
        table = open_parquet(file, "x", columns=columns, most_rows=most_rows, most_values=most_values)
        return table.read(columns=list(columns))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    table = pa.table({"a": ["a dog"] * 90, "b": [[1, 2]] * 90, "c": ["x" * 9000] * 90})
    parquet.write_table(table, tmp_path / "a.parquet", compression="zstd", use_dictionary=False, row_group_size=45)
    return tmp_path / "a.parquet"


def test_texts_come_as_dictionaries(file: Path) -> None:
    column = opened(file)["a"]
    assert column.chunk(0).dictionary.to_pylist() == ["a dog"]
    assert column.to_pylist() == ["a dog"] * 90


def test_more_rows_than_may_be_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match=r"^x has 90 rows, more than 89; split it$"):
        opened(file, most_rows=89)


def test_more_values_in_lists_than_may_be_are_refused(file: Path) -> None:
    assert opened(file, ("b",), b=90)["b"].to_pylist() == [[1, 2]] * 90
    with pytest.raises(
        InputError, match=r"^x: a row group has 90 values in its column 'b', expected at most 89; write sm"
    ):
        opened(file, ("b",), b=89)


def test_a_column_that_would_grow_too_much_is_refused_and_others_are_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened(file, ("c",)).num_rows == 90
    monkeypatch.setattr(parquet_files, "EXPANDED_FREELY", 100_000)
    with pytest.raises(
        InputError, match=r"^x: a row group of its column 'c' would grow from [0-9,]+ to 405,\d+ bytes, m"
    ):
        opened(file, ("a", "c"))
    assert opened(file, ("a",)).num_rows == 90
    monkeypatch.setattr(parquet_files, "MOST_EXPANSION", 10_000)
    assert opened(file, ("c",)).num_rows == 90


def test_a_footer_that_takes_too_much_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "LONGEST_FOOTER", 100)
    with pytest.raises(InputError, match=r"^x: its footer takes 0 MiB, more than 0; write it with larger row groups"):
        opened(file)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no file of that kind", b"\xff\xff\xff\xffPAR1" * 3])
def test_what_is_no_parquet_file_is_the_library_s_to_tell(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises((pa.ArrowException, OSError, InputError)):
        opened(tmp_path / "a.parquet")
