"""Reading settings: keywords win over the environment (``FREEDA_*``), that over ``<home>/freeda.toml``.

Secrets may also stand in files of their own, which the environment names: ``FREEDA_DATABASE_URL_FILE`` and so on.
Where ``FREEDA_DATABASE_URL`` is set, too, it wins.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from freeda_svc.errors import InputError
from freeda_svc.parameters import first_of, sentence_of
from freeda_svc.settings.model import DEFAULT_HOME, ENVIRONMENT_PREFIX, SECRETS, Settings, absolute_path
from freeda_svc.text_files import read_text

TOML_NAME = "freeda.toml"
FILE_SUFFIX = "_FILE"
FLAG, ENVIRONMENT, OWN_FILE, FILE = "flag", "environment", "own file", "file"
"""Where a setting's value may come from, beside its default."""


def setting_sources(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each source says, by what the source is called, the strongest first.

    They are what was given, the environment, the files of secrets that the environment names, and the TOML file of the
    home that the first two name.

    Raises:
        InputError: a file cannot be used.
        OSError, TOMLDecodeError: the TOML file cannot be read.
    """
    environment = named_in_environment()
    home = given.get("home") or environment.get("home") or DEFAULT_HOME
    file = _settings_file(absolute_path(Path(home)) / TOML_NAME)
    return {FLAG: dict(given), ENVIRONMENT: environment, OWN_FILE: _own_files(), FILE: file}


def named_in_environment() -> dict[str, Any]:
    """Return the settings that the environment names, as text."""
    found = {name.lower(): value for name, value in os.environ.items()}
    named = {name: f"{ENVIRONMENT_PREFIX}{name}".lower() for name in Settings.model_fields}
    return {name: found[variable] for name, variable in named.items() if variable in found}


def _settings_file(file: Path) -> dict[str, Any]:
    """Read a TOML file, which may begin with a byte order mark, as editors on Windows write it."""
    found = tomllib.loads(read_text(file, f"{TOML_NAME} of the home")) if file.is_file() else {}
    if "home" in found:
        raise InputError(f"{TOML_NAME}: home cannot be set in the home's own file; set FREEDA_HOME instead")
    return found


def _own_files() -> dict[str, Any]:
    """Read secrets from files that the environment names, as container engines hand them out."""
    found = {}
    for name in SECRETS:
        variable = f"{ENVIRONMENT_PREFIX}{name.upper()}{FILE_SUFFIX}"
        path = os.environ.get(variable, "")
        if path:
            found[name] = _own_file(name, variable, path)
    return found


def _own_file(name: str, variable: str, path: str) -> str:
    # Whoever confuses it with the setting itself has put the secret there.
    named = path if path.startswith("/") and "://" not in path else "the file it names"
    try:
        found = read_text(Path(path), f"{variable}: {named}").strip()
    except OSError as error:
        raise InputError(f"{variable}: {named} cannot be read: {error.strerror}") from error
    if not found:  # it would mean the embedded part, which nobody wants who names a file
        raise InputError(f"{variable}: {named} is empty: write the {name} into it")
    return found


class GivenValueError(InputError):
    """A setting that was given to `load_settings` itself is not usable."""

    def __init__(self, key: str, reason: str) -> None:
        """Say which, and why."""
        super().__init__(f"settings: {reason}")
        self.key = key
        self.reason = reason


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - values are checked by the model
    """Read the settings.

    Args:
        overrides: fields of :class:`Settings`; None means not given, so options of a command can be passed on as is.

    Raises:
        InputError: a value is of the wrong type, a key unknown, or the TOML file unreadable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    values: dict[str, Any] = {}
    try:
        for source in reversed(setting_sources(given).values()):
            values.update(source)
        return Settings(**values)
    except ValidationError as error:
        key = ".".join(str(part) for part in first_of(error)["loc"])
        reason = sentence_of(error, Settings)
        if key in given:
            raise GivenValueError(key, reason) from error
        raise InputError(f"{_source_of(key)}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{TOML_NAME} of the home is not valid TOML: {error}") from error
    except OSError as error:
        raise InputError(f"{TOML_NAME} of the home cannot be read: {error.strerror} ({error.filename})") from error


def _source_of(key: str) -> str:
    variable = f"{ENVIRONMENT_PREFIX}{key.upper()}"
    if variable in {name.upper() for name in os.environ}:
        return "environment"
    return f"the file that {variable}{FILE_SUFFIX} names" if os.environ.get(f"{variable}{FILE_SUFFIX}") else TOML_NAME
