import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from freeda_svc.bank import PrototypeStore, make_or_open_folder, open_folder, point_id
from freeda_svc.bank.moving import Start, export_bank, verify_archive
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.prototypes.record import Prototype

OpenStore = Callable[..., PrototypeStore]
MakeSome = Callable[..., list[Prototype]]
ReadTable = Callable[[Path], pa.Table]
Refused = Callable[..., str]


class StopError(Exception):
    pass


class StoreWithScan:
    """A store whose scan calls something before each prototype that it gives."""

    def __init__(self, store: PrototypeStore, before: Callable[[int], None]) -> None:
        self._store, self._before = store, before

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def scan(self, *, at_once: int) -> Iterator[list[Prototype]]:
        number = 0
        for prototypes in self._store.scan(at_once=at_once):
            for prototype in prototypes:
                self._before(number)
                yield [prototype]
                number += 1


def stop_at(row: int) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number == row:
            raise StopError

    return before


def start_export(store: PrototypeStore, folder: Path, row: int, **named: object) -> None:
    """Exports in parts of 4 and stops before a row."""
    with pytest.raises(StopError):
        export_bank(StoreWithScan(store, stop_at(row)), folder, parameters={}, rows_a_part=4, **named)


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}


def test_an_interrupted_export_continues_after_its_last_complete_part(
    open_store: OpenStore, make_some: MakeSome, read_table: ReadTable, tmp_path: Path
) -> None:
    store = open_store(make_some(14))
    start_export(store, tmp_path / "a", 10)
    before = stamps(tmp_path / "a")
    assert before.keys() == {"prototypes-00000.parquet", "prototypes-00001.parquet"}
    told: list[int] = []
    report = export_bank(
        store, tmp_path / "a", parameters={}, rows_a_part=4, on_progress=lambda done, _: told.append(done)
    )
    assert report.start is Start.CONTINUED
    assert told == [4, 8, 12, 14]
    assert before.items() <= stamps(tmp_path / "a").items()
    whole = export_bank(store, tmp_path / "b", parameters={}, rows_a_part=4)
    assert whole.start is Start.NEW
    assert read_table(tmp_path / "a").equals(read_table(tmp_path / "b"))
    assert verify_archive(tmp_path / "a").nouns == whole.manifest.nouns


def test_an_export_starts_over_when_the_bank_has_changed(
    open_store: OpenStore, make_some: MakeSome, tmp_path: Path
) -> None:
    held = make_some(14)
    marked, plain = (next(one for one in held if bool(one.outlier) is is_marked) for is_marked in (True, False))
    changes: list[Callable[[PrototypeStore], object]] = [
        lambda store: store.add(make_some(1, start=90)),
        lambda store: store.forget([point_id(held[13])]),
        lambda store: store.mark({point_id(plain): "odd"}),
        lambda store: store.unmark([point_id(marked)]),
    ]
    for number, change in enumerate(changes):
        store, folder = open_store(held), tmp_path / str(number)
        start_export(store, folder, 10)
        change(store)
        report = export_bank(store, folder, parameters={})
        assert report.start is Start.STARTED_OVER
        assert not report.bank_changed
        assert verify_archive(folder).prototypes == store.count()
        assert stamps(folder).keys() == {"prototypes-00000.parquet"}


def test_an_export_starts_over_when_artifacts_are_wanted_after_all(
    open_store: OpenStore, make_some: MakeSome, tmp_path: Path
) -> None:
    store = open_store(make_some(14))
    start_export(store, tmp_path / "a", 10)
    report = export_bank(store, tmp_path / "a", parameters={}, artifacts=tmp_path)
    assert report.start is Start.STARTED_OVER
    assert all(part.artifacts is not None for part in report.manifest.parts)


def test_a_part_that_was_damaged_meanwhile_is_written_again_with_those_after_it(
    open_store: OpenStore, make_some: MakeSome, tmp_path: Path
) -> None:
    store, folder = open_store(make_some(14)), tmp_path / "a"
    start_export(store, folder, 13)
    before = stamps(folder)
    part = folder / "prototypes-00001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    assert export_bank(store, folder, parameters={}, rows_a_part=4).start is Start.CONTINUED
    after = stamps(folder)
    assert [name for name in sorted(before) if before[name] == after[name]] == ["prototypes-00000.parquet"]
    verify_archive(folder)


def test_an_export_whose_only_part_was_lost_starts_over(
    open_store: OpenStore, make_some: MakeSome, tmp_path: Path
) -> None:
    store, folder = open_store(make_some(6)), tmp_path / "a"
    start_export(store, folder, 5)
    (folder / "prototypes-00000.parquet").unlink()
    assert export_bank(store, folder, parameters={}).start is Start.STARTED_OVER
    verify_archive(folder)


def test_another_banks_export_is_not_continued(
    open_store: OpenStore, make_some: MakeSome, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a"
    store = open_store(make_some(14))
    start_export(store, folder, 10)
    before, revision = stamps(folder), store.revision()
    other = open_store(make_some(14, pack="other"), pack="other")
    refused(InputError, "another bank", export_bank, other, folder, parameters={})
    monkeypatch.setattr(PrototypeStore, "revision", lambda _: revision)  # as after a copy that went another way
    refused(InputError, "another bank", export_bank, open_store(make_some(14, start=3)), folder, parameters={})
    assert stamps(folder) == before


def test_a_bank_that_changes_meanwhile_is_told(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    store = open_store(make_some(10))

    def grow(number: int) -> None:
        if number == 5:
            store.add(make_some(1, start=90))

    report = export_bank(StoreWithScan(store, grow), tmp_path, parameters={}, rows_a_part=4)
    assert report.bank_changed
    assert verify_archive(tmp_path).prototypes >= 10


def test_no_more_than_one_part_is_read_ahead(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    given: list[int] = []
    ahead: list[int] = []
    export_bank(
        StoreWithScan(open_store(make_some(14)), given.append),
        tmp_path,
        parameters={},
        rows_a_part=4,
        on_progress=lambda done, _: ahead.append(len(given) - done),
    )
    assert ahead == [0, 0, 0, 0]


def test_folders_that_hold_something_else_are_left_alone(
    open_store: OpenStore, make_some: MakeSome, refused: Refused, tmp_path: Path
) -> None:
    store = open_store(make_some(3))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("text")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "export-progress.json").write_text("{")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "export-progress.json").write_text("[" * 100_000)
    (tmp_path / "odder").mkdir()
    (tmp_path / "odder" / "export-progress.json").write_text("[]")
    make_or_open_folder(tmp_path / "bank", "p", 2, 2).close()
    export_bank(store, tmp_path / "archive", parameters={})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name, match in {
        "full": "not empty",
        "file": "is a file",
        "odd": "not JSON",
        "deep": "not JSON",
        "odder": "broken",
        "bank": "already",
        "archive": "finished archive",
    }.items():
        assert name in refused(InputError, match, export_bank, store, tmp_path / name, parameters={})
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_parameters_that_json_cannot_hold_are_refused_before_anything_is_written(
    open_store: OpenStore, tmp_path: Path
) -> None:
    for wrong in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            export_bank(open_store(), tmp_path / "a", parameters=wrong)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("rows", [0, 10_001])
def test_parts_have_a_size_that_can_be_read(open_store: OpenStore, refused: Refused, tmp_path: Path, rows: int) -> None:
    refused(InputError, "1 to 10,000", export_bank, open_store(), tmp_path / "a", parameters={}, rows_a_part=rows)


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a full disk does, but only to files of this process that grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_is_one_line_and_the_export_continues_when_there_is_room(
    open_store: OpenStore, make_some: MakeSome, refused: Refused, tmp_path: Path
) -> None:
    store, folder = open_store(make_some(14)), tmp_path / "a"
    start_export(store, folder, 10)
    with no_file_longer_than(2000):
        refused(UnavailableError, "cannot be written", export_bank, store, folder, parameters={}, rows_a_part=4)
    assert export_bank(store, folder, parameters={}, rows_a_part=4).start is Start.CONTINUED
    verify_archive(folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from freeda_svc.bank import open_folder
from freeda_svc.bank.moving import export_bank, prototype_tables

make, made = prototype_tables.make_payload, []

def make_or_die(*given):
    made.append(given)
    if len(made) == 25:  # the first of the third part
        os.kill(os.getpid(), signal.SIGKILL)
    return make(*given)

prototype_tables.make_payload = make_or_die
store = open_folder(sys.argv[1])
export_bank(store, Path(sys.argv[2]), parameters={}, rows_a_part=12)
"""


def test_an_export_that_was_killed_continues(make_some: MakeSome, tmp_path: Path) -> None:
    with make_or_open_folder(tmp_path / "bank", "pack-of-the-tests", 5, 7) as store:
        store.add(make_some(30))
    arguments = [tmp_path / "bank", tmp_path / "a"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *map(os.fspath, arguments)], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = {path.name for path in (tmp_path / "a").iterdir()}
    assert {"prototypes-00000.parquet", "prototypes-00001.parquet", "export-progress.json"} < left
    assert any(name.endswith(".part") for name in left)
    with open_folder(tmp_path / "bank") as store:
        report = export_bank(store, tmp_path / "a", parameters={}, rows_a_part=12)
    assert report.start is Start.CONTINUED
    assert verify_archive(tmp_path / "a").prototypes == 30
    # What the killed writer left aside is gone.
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "manifest.json",
        *(f"prototypes-{number:05d}.parquet" for number in range(3)),
    }


def test_an_export_that_was_killed_before_it_had_begun_begins(
    open_store: OpenStore, make_some: MakeSome, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / ".0123456789abcdef.part").write_bytes(b"{")  # of its first note of how far it is
    with open_store() as store:
        store.add(make_some(3))
        assert export_bank(store, folder, parameters={}).start is Start.NEW
    assert verify_archive(folder).prototypes == 3
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "prototypes-00000.parquet"}
