"""A bank on a disk that fills up says so, keeps what it has, and goes on when there is room again."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from freeda_svc.bank import EmbeddedStore
from freeda_svc.errors import UnavailableError
from tests.small_disk import fill, mounted_disk

MIB = 2**20

Reasons = dict[str, str]
ReadAll = Callable[[EmbeddedStore], Reasons]

# The engine's guard is taken away, as where others fill the disk between its check and what it then writes.
UNGUARDED = """
import sys
from pathlib import Path
from freeda_svc.bank.embedded import folder
sys.path.insert(0, sys.argv[1])
import changing_process
folder._ROOM = -(2**60)
changing_process.change_bank(Path(sys.argv[2]), [("add", number) for number in range(5, 100_000)], None)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MiB, in memory."""
    with mounted_disk(tmp_path / "disk", 160) as place:
        yield place


def test_a_change_on_a_nearly_full_disk_is_refused_as_a_whole(
    disk: Path, changing: ModuleType, read_all: ReadAll
) -> None:
    bank = disk / "bank"
    with EmbeddedStore.open(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        changing.perform(store, ("add", 0))
        expected = read_all(store)
        ballast = fill(disk, 60 * MIB)
        for change in (("add", 1), ("forget", 0), ("mark", 0)):
            with pytest.raises(
                UnavailableError, match=r"the disk with the bank .* is full: \d+ MiB are free, expected \d+; make room$"
            ):
                changing.perform(store, change)
            assert read_all(store) == expected
        with pytest.raises(UnavailableError, match="is full"):
            EmbeddedStore.open(disk / "new", changing.PACK, 3, 3)
        ballast.unlink()
        for change in (("add", 1), ("forget", 0), ("mark", 0)):
            changing.perform(store, change)
            expected = changing.expect(expected, change)
            assert read_all(store) == expected
    with EmbeddedStore.open_existing(bank) as store:
        assert read_all(store) == expected


def test_a_bank_on_a_full_disk_can_be_opened_and_read(disk: Path, changing: ModuleType, read_all: ReadAll) -> None:
    bank = disk / "bank"
    with EmbeddedStore.open(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        changing.perform(store, ("add", 0))
        expected = read_all(store)
    fill(disk, MIB)
    with EmbeddedStore.open_existing(bank) as store:
        assert read_all(store) == expected


@pytest.mark.end_to_end
@pytest.mark.parametrize("kibibytes", [96, 256])
def test_a_process_that_fills_the_disk_to_the_last_byte_loses_nothing(
    disk: Path, kibibytes: int, changing: ModuleType, read_all: ReadAll
) -> None:
    bank = disk / "bank"
    expected = {}
    with EmbeddedStore.open(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        for number in range(5):
            changing.perform(store, ("add", number))
    ballast = fill(disk, kibibytes * 1024)
    arguments = [sys.executable, "-c", UNGUARDED, str(Path(__file__).parent), str(bank)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    reported = done.stdout.count("done\n")
    ballast.unlink()
    with EmbeddedStore.open_existing(bank) as store:
        for number in range(5 + reported):
            expected = changing.expect(expected, ("add", number))
        after = changing.expect(expected, ("add", 5 + reported))
        assert read_all(store) in [expected, after]
        changing.perform(store, ("add", 5 + reported))
        assert read_all(store) == after
