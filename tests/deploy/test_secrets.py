import os
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from tests.deploy.documents import COMPOSE, DEPLOY, read_compose

SCRIPT = DEPLOY / "make-secrets.sh"
NAMES = set(read_compose(COMPOSE)["secrets"])


def _made(folder: Path) -> dict[str, str]:
    subprocess.run([SCRIPT, folder], check=True, timeout=120)
    return {path.name: path.read_text().strip() for path in folder.iterdir()}


def test_secrets_are_made_up_once(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = _made(folder)
    assert set(first) == NAMES
    assert _made(folder) == first
    assert first["api_metrics_key"] == "none-yet"
    passwords = [value for name, value in first.items() if not name.endswith("_url") and name != "api_metrics_key"]
    assert len(set(passwords)) == len(passwords) == 4
    assert all(len(password) == 64 for password in passwords)
    assert urlsplit(first["broker_url"]).password == first["redis_password"]
    assert make_url(first["database_url"]).password == first["postgres_password"]
    assert _made(tmp_path / "others")["redis_password"] != first["redis_password"]


def test_only_the_owner_enters_the_folder_and_containers_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    _made(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert os.access(SCRIPT, os.X_OK)


def test_what_a_person_wrote_stays(tmp_path: Path) -> None:
    (tmp_path / "redis_password").write_text("mine\n")
    assert _made(tmp_path)["broker_url"] == "redis://:mine@redis:6379/0"


def test_secrets_are_kept_out_of_the_repository_and_those_of_trials_are_recognisable() -> None:
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().splitlines()
    trial = {path.name: path.read_text().strip() for path in (DEPLOY / "dev-secrets").iterdir()}
    assert set(trial) == NAMES
    assert all("development-only" in value for value in trial.values())
