"""Who has a lock is seen by everybody, without making or changing anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from freeda_svc.errors import UnavailableError
from freeda_svc.file_locks import holder, opened_lock, try_lock, write_holder

TRY = "import sys; from freeda_svc.file_locks import holder; from pathlib import Path; print(holder(Path(sys.argv[1])))"


def test_a_lock_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert holder(tmp_path / "lock") is None
    assert list(tmp_path.iterdir()) == []


def test_a_holder_is_named_to_other_processes_until_it_lets_go(tmp_path: Path) -> None:
    def seen_by_another() -> str:
        command = [sys.executable, "-c", TRY, str(tmp_path / "lock")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with opened_lock(tmp_path / "lock") as descriptor:
        assert try_lock(descriptor)
        assert seen_by_another() == "0"  # it has not said who it is
        write_holder(descriptor)
        assert seen_by_another() == str(os.getpid())
    assert seen_by_another() == "None"


def test_two_may_share_a_lock_that_nobody_has_alone(tmp_path: Path) -> None:
    with opened_lock(tmp_path / "lock") as one, opened_lock(tmp_path / "lock") as other:
        assert try_lock(one, shared=True)
        assert try_lock(other, shared=True)
        assert not try_lock(other)


def test_a_lock_that_is_a_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be used: Is a directory"), opened_lock(tmp_path):
        pass
