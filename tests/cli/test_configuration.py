"""The settings file that explains itself, and where values came from."""

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.cli.configuration import settings_file
from freeda_svc.cli.setting_sources import HIDDEN, explanations, shown
from freeda_svc.settings import TOML_NAME, Settings, load_settings

Freeda = Callable[..., Any]


def _uncommented(text: str) -> str:
    """The file as it is when somebody takes the # of every setting away."""
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    return "\n".join(line for line in lines if line.partition(" = ")[0] in Settings.model_fields)


def test_every_setting_is_explained() -> None:
    told = explanations()
    assert set(told) == set(Settings.model_fields)
    assert all(text and "\n" not in text and "``" not in text for text in told.values())


def test_the_file_holds_every_setting_with_its_default() -> None:
    given = tomllib.loads(_uncommented(settings_file()))
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name != "home"}
    assert given == defaults
    assert tomllib.loads(settings_file()) == {}


def test_init_writes_a_file_that_changes_nothing_and_that_only_its_owner_reads(freeda: Freeda, home: Path) -> None:
    before = load_settings()
    ran = freeda("init")
    assert (ran.code, ran.err) == (0, "")
    assert str(home / TOML_NAME) in ran.out
    assert load_settings() == before
    assert stat.S_IMODE((home / TOML_NAME).stat().st_mode) == 0o600


def test_every_line_of_the_file_may_be_uncommented(home: Path) -> None:
    home.mkdir()
    (home / TOML_NAME).write_text(_uncommented(settings_file()))
    assert load_settings() == load_settings(**load_settings().model_dump())


def test_init_replaces_a_file_only_when_forced(freeda: Freeda, home: Path) -> None:
    home.mkdir()
    (home / TOML_NAME).write_text("bank = 3")  # also one that is not valid
    ran = freeda("init", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"Error: {home / TOML_NAME} is there already: change it, or replace it with --force\n"
    assert freeda("init", "--force", "--json").json == {"file": str(home / TOML_NAME)}
    assert freeda("config").code == 0


def test_config_says_where_each_value_came_from(
    freeda: Freeda, home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")  # its path is short, so that it stays on one line of the table
    (other / TOML_NAME).write_text('bank = "animals"\npack = "not-this"\n')
    monkeypatch.setenv("FREEDA_PACK", "zoo")
    found = {entry["name"]: entry for entry in freeda("--home", other, "config", "--json").json}
    assert list(found) == list(Settings.model_fields)
    assert found["home"] == {"name": "home", "value": str(other), "source": "flag", "place": "--home"}
    assert found["pack"] == {"name": "pack", "value": "zoo", "source": "environment", "place": "FREEDA_PACK"}
    assert found["bank"] == {
        "name": "bank",
        "value": "animals",
        "source": "file",
        "place": str(other / TOML_NAME),
    }
    assert found["device"] == {"name": "device", "value": "auto", "source": "default", "place": ""}
    lines = freeda("--home", other, "config").out.splitlines()
    assert lines[0].split() == ["setting", "value", "from", "given", "by"]
    assert ["bank", "animals", "file", str(other / TOML_NAME)] in [line.split() for line in lines]


def test_secrets_are_hidden(freeda: Freeda, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEDA_QDRANT_API_KEY", "sesame")
    monkeypatch.setenv("FREEDA_BROKER_URL", "rediss://:sesame@host:6379/0?ssl_cert_reqs=none&ssl_password=sesame")
    monkeypatch.setenv("FREEDA_DATABASE_URL", "postgresql+psycopg://anna:sesame@host/freeda")
    ran = freeda("config", "--json")
    found = {entry["name"]: entry["value"] for entry in ran.json}
    assert "sesame" not in ran.out + freeda("config").out
    assert found["qdrant_api_key"] == HIDDEN
    assert found["broker_url"] == f"rediss://:{HIDDEN}@host:6379/0?ssl_cert_reqs=none&ssl_password={HIDDEN}"
    assert found["database_url"] == f"postgresql+psycopg://anna:{HIDDEN}@host/freeda"


def test_a_secret_may_come_from_a_file_of_its_own(
    freeda: Freeda, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("sesame\n")
    monkeypatch.setenv("FREEDA_QDRANT_API_KEY_FILE", str(tmp_path / "key"))
    found = {entry["name"]: entry for entry in freeda("config", "--json").json}
    assert found["qdrant_api_key"] == {
        "name": "qdrant_api_key",
        "value": HIDDEN,
        "source": "file",
        "place": str(tmp_path / "key"),
    }


@pytest.mark.parametrize("text", ["", "sqlite:////tmp/jobs.sqlite", "redis://localhost:6379/0", "http://host:6333"])
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert shown("database_url", text) == text
