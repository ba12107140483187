import os
import time
from pathlib import Path

from freeda_svc.artifacts.local_copies import LocalCopies


def _copy(folder: Path, name: str, *, size: int, unused_seconds: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    moment = time.time() - unused_seconds
    os.utime(path, (moment, moment))
    return path


def test_those_not_used_for_longest_go_first(tmp_path: Path) -> None:
    paths = [_copy(tmp_path, f"inputs/{hours}", size=100, unused_seconds=3600 * hours) for hours in (1, 2, 3, 4)]
    LocalCopies(tmp_path, 300).trim()
    assert [path.exists() for path in paths] == [True, True, False, False]


def test_all_stay_below_the_limit(tmp_path: Path) -> None:
    path = _copy(tmp_path, "inputs/a", size=100, unused_seconds=1e6)
    LocalCopies(tmp_path, 100).trim()
    assert path.exists()


def test_what_is_in_use_stays_whatever_the_limit(tmp_path: Path) -> None:
    used = _copy(tmp_path, "inputs/a", size=100, unused_seconds=1e6)
    copies = LocalCopies(tmp_path, 0)
    assert copies.has(used)
    assert not copies.has(tmp_path / "inputs")
    assert not copies.has(tmp_path / "inputs" / "none")
    copies.trim()
    assert used.exists()


def test_what_is_being_filled_in_stays_and_what_was_abandoned_goes(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, 0)
    with copies.filling() as begun:
        (begun / "mask.png").write_bytes(bytes(100))
        hours = _copy(tmp_path, ".filling-hours/results/mask.png", size=1, unused_seconds=1e6)
        days = _copy(tmp_path, ".filling-days/results/mask.png", size=1, unused_seconds=1e6)
        moment = time.time() - 2 * 24 * 3600
        os.utime(tmp_path / ".filling-days", (moment, moment))
        copies.trim()
        assert (begun / "mask.png").exists()
        assert hours.exists()
        assert not days.exists()
    assert not begun.exists()


def test_placing_a_copy_trims(tmp_path: Path) -> None:
    old = _copy(tmp_path, "inputs/old", size=100, unused_seconds=1e6)
    with LocalCopies(tmp_path, 50).placing(tmp_path / "thumbnails" / "new") as aside:
        aside.write_bytes(bytes(40))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["new"]
    assert not old.exists()
