"""Backups of a home: put back they are what was saved, and whatever happens meanwhile nothing is there by halves."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from freeda_svc.bank import ALL
from freeda_svc.bank.banks import BankName
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.jobs.banks import open_banks
from freeda_svc.jobs.database import close_databases, reading, writing
from freeda_svc.jobs.tables import Job
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.backups.checksums import read_sums, write_sums
from freeda_svc.workers.backups.restoring import restore_home
from freeda_svc.workers.backups.saving import back_up_home
from tests.cli.conftest import start as start  # noqa: PLC0414 - a fixture
from tests.made_prototypes import make_prototype

Start = Callable[..., "subprocess.Popen[str]"]
PACK = "0123456789abcdef"
BANK = BankName("animals", 2)
MANY = 4000
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda name: not name.startswith("/") and ".." not in name
)


def _tell(_done: int, _total: int) -> None:
    """Nobody listens."""


def _filled(home: Path) -> Settings:
    """A home with a job, a bank, artifacts and a settings file, as if a worker had made them."""
    settings = load_settings(home=home)
    with writing(settings) as session:
        session.add(Job(id="0" * 12, kind="ingest", state="done", source="", pack="", fingerprint="", parameters={}))
    banks = open_banks(settings)
    banks.create(BankName("animals", 1), PACK, 4, 3)
    banks.create(BANK, PACK, 4, 3)
    banks.switch(BANK)
    keys = np.random.default_rng(2).normal(size=(20, 4)).astype(np.float32)
    with closing(banks.open(BANK)) as store:
        store.add([make_prototype("cat", key=key, vector=key[:3], pack=PACK, seed=n) for n, key in enumerate(keys)])
    for name in ("inputs/a b\n.png", "results/0/1/labels.png"):
        file = settings.artifacts_folder / name
        file.parent.mkdir(parents=True)
        file.write_bytes(name.encode())
    (settings.artifacts_folder / "inputs" / ".half.part").write_bytes(b"just being written")
    (home / "freeda.toml").write_text("captions_per_item = 5\n")
    return settings


def _content(settings: Settings) -> dict[str, object]:
    """What a person would miss."""
    with reading(settings) as session:
        jobs = [job.id for job in session.query(Job).order_by(Job.id)]
    banks = open_banks(settings)
    with closing(banks.open(BANK)) as store:
        ids = sorted(store.select(ALL))
        vectors, payloads = store.vectors(ids).tolist(), store.payloads(ids)
    files = {
        str(path.relative_to(settings.artifacts_folder)): path.read_bytes()
        for path in settings.artifacts_folder.rglob("*")
        if path.is_file() and not path.name.endswith(".part")
    }
    close_databases()
    current = banks.resolve("animals")
    return {"jobs": jobs, "ids": ids, "vectors": vectors, "payloads": payloads, "files": files, "current": current}


def test_what_is_put_back_is_what_was_saved(tmp_path: Path) -> None:
    settings = _filled(tmp_path / "home")
    saved = back_up_home(settings, tmp_path / "backup", _tell)
    assert (saved.jobs, saved.banks) == (1, {"animals@1": 0, "animals@2": 20})
    assert saved.bytes < 16 << 20  # the engine's files are large, but mostly holes
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "backup", check=False)
    assert checked.returncode == 0
    again = load_settings(home=tmp_path / "again")
    assert restore_home(again, tmp_path / "backup", _tell) == saved
    assert load_settings(home=tmp_path / "again").captions_per_item == 5
    assert _content(again) == _content(settings)
    assert (tmp_path / "again").stat().st_mode & 0o077 == (tmp_path / "backup").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "backup", "home"]


def test_artifacts_that_lie_elsewhere_are_put_back_there(tmp_path: Path) -> None:
    settings = _filled(tmp_path / "home")
    shutil.move(settings.artifacts_folder, tmp_path / "elsewhere")
    (tmp_path / "home" / "freeda.toml").write_text(f'artifacts = "{tmp_path / "elsewhere"}"\n')
    settings = load_settings(home=tmp_path / "home")
    before = _content(settings)
    back_up_home(settings, tmp_path / "backup", _tell)
    shutil.rmtree(tmp_path / "home")
    with pytest.raises(InputError, match="elsewhere is not empty"):
        restore_home(load_settings(home=tmp_path / "home"), tmp_path / "backup", _tell)
    assert not (tmp_path / "home").exists()
    shutil.rmtree(tmp_path / "elsewhere")
    restore_home(load_settings(home=tmp_path / "home"), tmp_path / "backup", _tell)
    assert _content(load_settings(home=tmp_path / "home")) == before


def test_a_backup_is_refused_in_one_line_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nothing to back up yet"):
        back_up_home(load_settings(home=tmp_path / "nothing"), tmp_path / "backup", _tell)
    settings = _filled(tmp_path / "home")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    servers = load_settings(home=tmp_path / "home", database_url="postgresql://host/jobs")
    for wrong, place, reason in (
        (settings, tmp_path / "full", "is not empty"),
        (settings, tmp_path / "full" / "file", "no folder"),
        (settings, tmp_path / "home" / "backup", "lies within the home"),
        (servers, tmp_path / "backup", "database_url set: a server has backups of its own"),
    ):
        with pytest.raises(InputError, match=reason):
            back_up_home(wrong, place, _tell)
    assert list((tmp_path / "full").iterdir()) == [tmp_path / "full" / "file"]
    with closing(sqlite3.connect(settings.database_file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    close_databases()
    content = settings.database_file.read_bytes()
    settings.database_file.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="freeda doctor"):
        back_up_home(settings, tmp_path / "backup", _tell)
    assert not (tmp_path / "backup").exists()


def test_without_room_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _filled(tmp_path / "home")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("freeda_svc.whole_files.shutil.disk_usage", lambda _place: usage)
    with pytest.raises(UnavailableError, match="make room"):
        back_up_home(settings, tmp_path / "backup", _tell)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("jobs.sqlite", b"something else", "jobs.sqlite has changed since it was made"),
        ("artifacts/results/0/1/labels.png", b"", "labels.png has changed since it was made"),
        ("artifacts/results/0/1/labels.png", None, "not whole: No such file"),
        ("backup.json", b"{}", "backup.json is damaged"),
        ("backup.json", None, "is no backup"),
        ("SHA256SUMS", b"0" * 64 + b"  ../../etc/passwd\n", "SHA256SUMS is damaged"),
        ("SHA256SUMS", b"\xff", "no list of checksums"),
    ],
)
def test_a_damaged_backup_makes_no_home(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    back_up_home(_filled(tmp_path / "home"), tmp_path / "backup", _tell)
    (tmp_path / "backup" / name).unlink()
    if content is not None:
        (tmp_path / "backup" / name).write_bytes(content)
    with pytest.raises(FreedaError, match=reason):
        restore_home(load_settings(home=tmp_path / "again"), tmp_path / "backup", _tell)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "home"]


def test_a_backup_of_a_later_version_and_a_home_that_is_there_are_refused(tmp_path: Path) -> None:
    settings = _filled(tmp_path / "home")
    back_up_home(settings, tmp_path / "backup", _tell)
    before = _content(settings)
    with pytest.raises(InputError, match="home is not empty, and nothing in it is to be lost"):
        restore_home(settings, tmp_path / "backup", _tell)
    assert _content(settings) == before
    about = json.loads((tmp_path / "backup" / "backup.json").read_text())
    (tmp_path / "backup" / "backup.json").write_text(json.dumps({**about, "revision": "9999"}))
    with pytest.raises(InputError, match="use that version, or a later one"):
        restore_home(load_settings(home=tmp_path / "again"), tmp_path / "backup", _tell)


@pytest.mark.end_to_end
def test_killed_in_the_middle_neither_leaves_a_half(tmp_path: Path, start: Start) -> None:
    settings = _filled(tmp_path / "home")
    for number in range(MANY):
        (settings.artifacts_folder / "inputs" / f"{number}.png").write_bytes(b"x" * 100)
    _killed(start(tmp_path / "home", "backup", tmp_path / "backup"), tmp_path, "backup")
    back_up_home(settings, tmp_path / "backup", _tell)
    _killed(start(tmp_path / "again", "restore", tmp_path / "backup"), tmp_path, "again")
    again = load_settings(home=tmp_path / "again")
    restore_home(again, tmp_path / "backup", _tell)
    assert _content(again) == _content(settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "backup", "home"]  # nothing is left aside


def _killed(process: "subprocess.Popen[str]", folder: Path, name: str) -> None:
    """Kill a command as soon as it has begun to copy inputs."""
    deadline = time.monotonic() + 120
    while not list(folder.glob(f".{name}.*.part/artifacts/inputs/*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / name).exists()
    assert len(list(folder.glob(f".{name}.*.part"))) == 1


@given(st.lists(NAMES, min_size=1, unique=True))
@examples(derandomize=True, deadline=None)
def test_checksums_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("sums") / "SHA256SUMS"
    sums = [(name, f"{number:064x}") for number, name in enumerate(names)]
    write_sums(path, sums)
    assert read_sums(path) == sums
