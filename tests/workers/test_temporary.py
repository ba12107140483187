import multiprocessing.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers import background_stack
from freeda_svc.workers.temporary import PREFIX, temporary_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def test_it_is_there_as_long_as_the_worker_and_what_the_pool_makes_lies_in_it(settings: Settings, place: Path) -> None:
    with temporary_folder(settings) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert multiprocessing.util.get_temp_dir() == str(folder)
        (folder / "reports").write_text("")
    assert list(place.iterdir()) == []
    assert [path.name for path in settings.locks_folder.iterdir() if "temporary" in path.name] == []


def test_what_a_killed_worker_left_goes_with_the_next_one(settings: Settings, place: Path) -> None:
    code = (
        "import os, signal\nfrom freeda_svc.settings import load_settings\n"
        "from freeda_svc.workers.temporary import temporary_folder\n"
        "with temporary_folder(load_settings()):\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, **settings.as_environment(), "TMPDIR": str(place)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -signal.SIGKILL
    [left] = place.iterdir()
    with temporary_folder(settings) as folder:
        assert list(place.iterdir()) == [folder]
        assert folder != left


def test_only_what_was_such_a_folder_is_removed(settings: Settings, place: Path) -> None:
    note = settings.worker_lock.with_suffix(".temporary")
    for name in ("precious", f"{PREFIX}file"):
        kept = place / name
        kept.mkdir() if name == "precious" else kept.write_text("")
        note.symlink_to(kept)
        with temporary_folder(settings):
            assert kept.exists()


def test_no_place_for_temporary_files_is_reported_in_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with (
        pytest.raises(UnavailableError, match=r"^no temporary files can be made .*set TMPDIR"),
        temporary_folder(settings),
    ):
        pass


@pytest.mark.end_to_end
@pytest.mark.usefixtures("untried")
def test_kills_leave_nothing_that_the_next_worker_does_not_remove(
    make_settings: Callable[..., Settings], described_pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    settings = make_settings(pack=described_pack)
    with background_stack(settings) as pid:
        os.kill(pid, signal.SIGKILL)
    assert [path.name.startswith(PREFIX) for path in place.iterdir() if not path.name.startswith("torch")] == [True]
    with background_stack(settings):
        pass
    assert [path.name for path in place.iterdir() if not path.name.startswith("torch")] == []
