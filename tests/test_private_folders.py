import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from freeda_svc.jobs.database import close_databases, open_database
from freeda_svc.private_folders import make_private_file, make_private_folder, narrow_folder, rights_of_others
from freeda_svc.settings import Settings, load_settings, prepare_home


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _settings(home: Path, **given: str) -> Settings:
    return load_settings(**{"home": home, "database_url": "", "broker_url": "", "artifacts": "", **given})


def test_a_new_home_and_all_in_it_is_this_users(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "new" / "home")
    open_database(settings)
    close_databases()
    assert _mode(settings.home) == _mode(tmp_path / "new") == 0o700
    assert {_mode(place) for place in settings.home.iterdir() if place.is_dir()} == {0o700}
    assert _mode(settings.database_file) == 0o600


def test_artifacts_elsewhere_are_shared_and_keep_their_rights(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2775)
    settings = _settings(tmp_path / "home", artifacts=str(shared))
    prepare_home(settings)
    assert _mode(shared) == 0o2775
    assert not (settings.home / "artifacts").exists()
    (tmp_path / "artifacts").mkdir()
    prepare_home(_settings(tmp_path / "home", artifacts=str(tmp_path / "artifacts" / "new")))
    assert _mode(tmp_path / "artifacts" / "new") == 0o755


def _wide_home(home: Path, mode: int = 0o755) -> Settings:
    settings = _settings(home)
    prepare_home(settings)
    settings.database_file.write_bytes(b"")
    home.chmod(mode)
    return settings


def test_a_home_of_before_is_narrowed_and_that_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = _wide_home(tmp_path / "home")
    (settings.home / "freeda.toml").write_text("")
    capsys.readouterr()
    prepare_home(settings)
    assert _mode(settings.home) == 0o700
    assert "others could enter the home; now nobody else can" in "".join(capsys.readouterr())
    prepare_home(settings)
    assert "".join(capsys.readouterr()) == ""


@pytest.mark.parametrize(("mode", "after"), [(0o775, 0o770), (0o2770, 0o2770), (0o750, 0o700), (0o701, 0o700)])
def test_a_group_that_may_write_keeps_its_rights(tmp_path: Path, mode: int, after: int) -> None:
    settings = _wide_home(tmp_path / "home", mode)
    prepare_home(settings)
    assert _mode(settings.home) == after


def test_a_folder_in_which_other_things_lie_is_left_alone(tmp_path: Path) -> None:
    settings = _wide_home(tmp_path / "home")
    (settings.home / "thesis.tex").write_text("")
    prepare_home(settings)
    assert _mode(settings.home) == 0o755
    assert rights_of_others(settings.home) == 0o055
    assert _mode(settings.logs_folder) == 0o700


def test_a_folder_of_everybody_is_never_narrowed(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert not narrow_folder(tmp_path, ())
    make_private_folder(tmp_path / "a" / "b")
    make_private_file(tmp_path / "file")
    assert (_mode(tmp_path), _mode(tmp_path / "a"), _mode(tmp_path / "file")) == (0o1777, 0o700, 0o600)


def test_what_is_made_in_a_shared_folder_is_shared(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    os.umask(0o002)
    make_private_folder(shared / "logs")
    make_private_file(shared / "file")
    assert (_mode(shared / "logs"), _mode(shared / "file")) == (0o770, 0o660)


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    make_private_file(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"
    with pytest.raises(OSError, match="File exists"):
        make_private_folder(tmp_path / "file")


def test_locks_on_a_file_that_is_there_stay(tmp_path: Path) -> None:
    """POSIX releases all of a process's locks on a file when it closes any descriptor of it."""
    file = tmp_path / "file"
    ask = f"import fcntl; fcntl.lockf(open({str(file)!r}, 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    make_private_file(file)
    with file.open("r+b") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        make_private_file(file)
        refused = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in refused.stderr
