import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank.embedded import rows as module
from freeda_svc.bank.embedded.rows import RowFile
from freeda_svc.errors import InputError, UnavailableError

Array = npt.NDArray[np.float32]


@pytest.fixture
def path(fast_folder: Path) -> Path:
    return fast_folder / "keys.float32"


@pytest.fixture
def file(path: Path) -> Iterator[RowFile[np.float32]]:
    opened = RowFile(path, np.float32, 3, 0)
    yield opened
    opened.close()


def count_up(number: int, dimension: int = 3, start: int = 0) -> Array:
    return np.arange(start, start + number * dimension, dtype=np.float32).reshape(number, dimension)


def test_rows_are_read_as_they_were_written(file: RowFile[np.float32], path: Path) -> None:
    vectors = count_up(10)
    file.append(0, vectors[:4])
    file.append(4, vectors[4:])
    np.testing.assert_array_equal(file.read(np.arange(10)), vectors)
    again = RowFile(path, np.float32, 3, 10)
    np.testing.assert_array_equal(again.read(np.arange(10)), vectors)
    again.close()
    np.testing.assert_array_equal(np.fromfile(path, dtype=np.float32).reshape(-1, 3), vectors)


@given(wanted=st.lists(st.integers(0, 49), max_size=80))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_rows_are_read_in_any_order_and_several_times(
    wanted: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-order.float16"
    file = RowFile(path, np.float16, 5, 0)
    vectors = count_up(50, 5).astype(np.float16)
    if not path.stat().st_size:
        file.append(0, vectors)
    found = file.read(np.array(wanted, dtype=np.int64))
    file.close()
    assert found.dtype == np.float16
    assert found.shape == (len(wanted), 5)
    np.testing.assert_array_equal(found, vectors[wanted])


def test_neighbours_are_read_at_once(file: RowFile[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    file.append(0, count_up(100))
    reads: list[int] = []
    read = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        reads.append(offset // 12)
        return read(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", counted)
    file.read(np.array([50, 3, 51, 4, 52, 4, 99]))
    assert reads == [3, 50, 99]


def test_writing_and_reading_in_parts_is_whole(file: RowFile[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    # A system call may do less than it is asked for.
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, offset: write(descriptor, content[:7], offset))
    monkeypatch.setattr(os, "preadv", lambda descriptor, buffers, offset: read(descriptor, [buffers[0][:5]], offset))
    vectors = count_up(20)
    file.append(0, vectors)
    np.testing.assert_array_equal(file.read(np.array([19, 0, 7])), vectors[[19, 0, 7]])


def test_what_did_not_count_is_written_over(path: Path) -> None:
    file = RowFile(path, np.float32, 3, 0)
    file.append(0, count_up(10))
    file.close()
    again = RowFile(path, np.float32, 3, 4)
    again.append(4, count_up(2, start=500))
    np.testing.assert_array_equal(again.read(np.arange(6)), np.concatenate([count_up(4), count_up(2, start=500)]))
    again.close()


def test_rows_are_on_the_disk_when_append_returns(file: RowFile[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    write, sync = os.pwrite, os.fdatasync

    def recorded_write(descriptor: int, content: memoryview, offset: int) -> int:
        calls.append("write")
        return write(descriptor, content, offset)

    def recorded_sync(descriptor: int) -> None:
        calls.append("sync")
        sync(descriptor)

    monkeypatch.setattr(os, "pwrite", recorded_write)
    monkeypatch.setattr(os, "fdatasync", recorded_sync)
    file.append(0, count_up(4))
    assert calls == ["write", "sync"]


def test_a_map_shows_rows_that_come_later(file: RowFile[np.float32]) -> None:
    file.append(0, count_up(2))
    shown = file.map(2)
    assert shown.shape[1] == 3
    assert len(shown) > 2
    np.testing.assert_array_equal(shown[:2], count_up(2))
    file.append(2, count_up(5, start=6))
    np.testing.assert_array_equal(shown[:7], count_up(7))


@pytest.mark.parametrize(("rows", "reach"), [(0, 4), (3, 4), (4, 8), (9, 12)])
def test_a_map_reaches_further_than_asked(
    file: RowFile[np.float32], rows: int, reach: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS_A_GROWTH", 4)
    assert len(file.map(rows)) == reach


def count_maps(path: Path) -> int:
    return sum(str(path) in line for line in Path("/proc/self/maps").read_text().splitlines())


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not list what is mapped")
def test_growing_a_lot_leaves_no_maps_and_no_descriptors(
    file: RowFile[np.float32], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS_A_GROWTH", 4)
    descriptors, maps = [], []
    shown = file.map(0)
    for row in range(400):
        file.append(row, count_up(1, start=row))
        if row >= len(shown):
            shown = file.map(row + 1)
        descriptors.append(count_descriptors())
        maps.append(count_maps(path))
    assert len(set(descriptors)) == 1
    assert set(maps) == {1}
    assert shown[:400, 0].tolist() == list(range(400))
    del shown
    assert count_maps(path) == 0


def test_a_map_stays_usable_when_the_file_is_closed(path: Path) -> None:
    file = RowFile(path, np.float32, 3, 0)
    file.append(0, count_up(2))
    shown = file.map(2)
    file.close()
    file.close()
    np.testing.assert_array_equal(shown[:2], count_up(2))
    with pytest.raises(UnavailableError, match="cannot be read"):
        file.read(np.array([0]))
    with pytest.raises(UnavailableError, match="cannot be written"):
        file.append(2, count_up(1))


def test_a_file_that_is_cut_off_is_refused(file: RowFile[np.float32], path: Path) -> None:
    file.append(0, count_up(4))
    before = count_descriptors()
    with pytest.raises(
        InputError, match=r"is cut off: 48 bytes, expected 60; remove it, and it is made again"
    ) as caught:
        RowFile(path, np.float32, 3, 5)
    assert "\n" not in str(caught.value)
    assert count_descriptors() == before


def test_a_file_that_is_cut_off_meanwhile_is_one_line(file: RowFile[np.float32], path: Path) -> None:
    file.append(0, count_up(4))
    os.truncate(path, 40)
    with pytest.raises(UnavailableError, match="was cut off while it was in use"):
        file.read(np.arange(4))


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_full_disk_is_one_line(file: RowFile[np.float32], call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file.append(0, count_up(2))

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(
            UnavailableError, match=r"keys.float32 cannot be written \(No space left on device\)"
        ) as caught:
            file.append(2, count_up(3))
    assert "\n" not in str(caught.value)
    file.append(2, count_up(3, start=6))
    np.testing.assert_array_equal(file.read(np.arange(5)), count_up(5))


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be used"):
        RowFile(tmp_path / "nowhere" / "keys", np.float32, 3, 0)
