"""The units for a single home: what they start exists, and what they remove are old backups only."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from freeda_svc.cli.main import freeda
from freeda_svc.settings import Settings
from tests.deploy.documents import DEPLOY, settings_named

UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/freeda/bin/freeda"
HOME = "/var/lib/freeda"


def _values(unit: Path, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]


def _script(unit: Path, key: str) -> str:
    """A line that a shell runs, as systemd hands it on."""
    [line] = _values(unit, key)
    return line.removeprefix("/bin/sh -ec '").removesuffix("'").replace("$$", "$").replace("%%", "%")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here to read units")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_settings_exist_and_the_home_is_the_same(unit: Path) -> None:
    variables = dict(value.split("=", 1) for value in _values(unit, "Environment"))
    settings_named(list(variables))
    Settings(**{name.removeprefix("FREEDA_").lower(): value for name, value in variables.items()})
    assert variables["FREEDA_HOME"] == HOME
    assert _values(unit, "EnvironmentFile") == ["-/etc/freeda/freeda.env"]
    assert _values(unit, "User") == ["freeda"]
    assert "freeda" in _values(unit, "StateDirectory")[0].split()


def test_the_worker_has_time_to_stop_and_comes_again_when_it_fails() -> None:
    unit = DEPLOY / "systemd" / "freeda.service"
    grace = float(next(value for value in _values(unit, "Environment") if "GRACE" in value).partition("=")[2])
    assert _values(unit, "TimeoutStopSec") == ["2min"]
    assert grace + 30 <= 120
    assert _values(unit, "Restart") == ["on-failure"]
    assert _values(unit, "KillMode") == ["mixed"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_commands_of_the_units_exist(unit: Path) -> None:
    words = _values(unit, "ExecStart")[0].split(PROGRAM)[1].split()
    assert CliRunner().invoke(freeda, [words[0], "--help"]).exit_code == 0


def test_a_night_makes_a_backup_and_removes_what_is_older_than_the_last_fourteen(tmp_path: Path) -> None:
    unit = DEPLOY / "systemd" / "freeda-backup.service"
    (tmp_path / "freeda").write_text('#!/bin/sh\nmkdir "$3" && touch "$3/backup.json"\n')
    (tmp_path / "freeda").chmod(0o755)
    backups = tmp_path / "backups"
    for day in range(1, 21):
        (backups / f"2026-01-{day:02}-033000").mkdir(parents=True)
        (backups / f"2026-01-{day:02}-033000" / "backup.json").touch()
    (backups / "2020-keep-me").mkdir()  # no backup
    for key in ("ExecStart", "ExecStartPost"):
        script = _script(unit, key).replace(PROGRAM, str(tmp_path / "freeda"))
        subprocess.run(["/bin/sh", "-ec", script], cwd=backups, check=True, env={"PATH": os.environ["PATH"]})
    left = sorted(path.name for path in backups.iterdir())
    assert left[0] == "2020-keep-me"
    assert left[1:14] == [f"2026-01-{day:02}-033000" for day in range(8, 21)]
    assert len(left) == 15
