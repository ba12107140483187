"""A bank on a disk that fills up says so, keeps what it has, and goes on when there is room again."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freeda_svc.bank import PrototypeStore, open_folder
from freeda_svc.bank.qdrant import folder as module
from freeda_svc.errors import UnavailableError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import expect_all, read_all
from tests.small_disk import fill, mounted_disk

MIB = 2**20
FULL = r"^the disk with the bank .* is full: [\d,]+ MiB free, expected [\d,]+; make room$"
CHANGES = (("add", 1), ("mark", 0), ("unmark", 0), ("forget", 0), ("add", 2))

# The guard is taken away, as where others fill the disk between its check and what the engine then writes.
UNGUARDED = """
import sys
from pathlib import Path
from freeda_svc.bank.qdrant import folder
sys.path.insert(0, sys.argv[1])
import changing_process
folder.FREE_BYTES = -(2**60)
changing_process.change_bank(Path(sys.argv[2]), [("add", number) for number in range(5, 100_000)], None)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MiB, in memory."""
    with mounted_disk(tmp_path / "disk", 160) as place:
        yield place


def check_refused_and_then_done(store: PrototypeStore, refuse: Callable[[], Callable[[], None]]) -> None:
    """Every change, packing and a new bank are refused while there is no room, and done when there is."""
    changing.perform(store, ("add", 0))
    expected = expect_all(("add", 0))
    version, size = store.revision(), store.stats().bytes_on_disk
    make_room = refuse()
    for change in CHANGES:
        if change[0] != "unmark":  # nothing is marked yet, so there is nothing to write
            with pytest.raises(UnavailableError, match=FULL):
                changing.perform(store, change)
    with pytest.raises(UnavailableError, match=FULL):
        store.optimize()
    assert read_all(store) == expected
    assert store.revision() == version
    assert store.stats().bytes_on_disk == size
    make_room()
    for change in CHANGES:
        changing.perform(store, change)
        expected = changing.expect(expected, change)
        assert read_all(store) == expected


def test_a_change_on_a_nearly_full_disk_is_refused_as_a_whole(disk: Path) -> None:
    with changing.open_bank(disk / "bank") as store:
        check_refused_and_then_done(store, lambda: fill(disk, 60 * MIB).unlink)
        expected = read_all(store)
        ballast = fill(disk, 60 * MIB)
        with pytest.raises(UnavailableError, match="is full"):
            changing.open_bank(disk / "new")
        assert not (disk / "new").exists()
    with pytest.raises(UnavailableError, match=FULL):  # the engine may have to do again what is in its log
        open_folder(disk / "bank")
    ballast.unlink()
    with open_folder(disk / "bank") as store:
        assert read_all(store) == expected


def test_a_change_is_refused_where_the_disk_seems_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where no disk can be filled."""
    room = module.FREE_BYTES

    def refuse() -> Callable[[], None]:
        monkeypatch.setattr(module, "FREE_BYTES", 2**60)
        return lambda: monkeypatch.setattr(module, "FREE_BYTES", room)

    with changing.open_bank(folder) as store:
        check_refused_and_then_done(store, refuse)
    monkeypatch.setattr(module, "FREE_BYTES", 2**60)
    with pytest.raises(UnavailableError, match="is full"):
        changing.open_bank(folder.with_name("new"))
    assert not folder.with_name("new").exists()


def test_room_for_what_a_change_writes_is_wanted_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with changing.open_bank(folder) as store:
        monkeypatch.setattr("freeda_svc.bank.qdrant.edge.BYTES_A_VALUE", 2**55)
        with pytest.raises(UnavailableError, match=FULL):
            changing.perform(store, ("add", 0))
        assert read_all(store) == {}


@pytest.mark.end_to_end
@pytest.mark.parametrize("kibibytes", [96, 256])
def test_a_process_that_fills_the_disk_to_the_last_byte_loses_nothing(disk: Path, kibibytes: int) -> None:
    bank = disk / "bank"
    with changing.open_bank(bank) as store:
        for number in range(5):
            changing.perform(store, ("add", number))
    ballast = fill(disk, kibibytes * 1024)
    arguments = [sys.executable, "-c", UNGUARDED, str(Path(__file__).parent), str(bank)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode != 0
    reported = done.stdout.count("done\n")
    ballast.unlink()
    with open_folder(bank) as store:
        expected = expect_all(*(("add", number) for number in range(5 + reported)))
        after = changing.expect(expected, ("add", 5 + reported))
        assert read_all(store) in [expected, after]
        changing.perform(store, ("add", 5 + reported))
        assert read_all(store) == after
