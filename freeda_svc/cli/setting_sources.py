"""Where the value of each setting came from, and what may be shown of it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freeda_svc.addresses import HIDDEN, shown_address
from freeda_svc.settings import (
    DEFAULT_HOME,
    ENVIRONMENT,
    ENVIRONMENT_PREFIX,
    FILE,
    FILE_SUFFIX,
    FLAG,
    OWN_FILE,
    SECRETS,
    TOML_NAME,
    Settings,
    named_in_environment,
    setting_sources,
)


@dataclass(frozen=True)
class SettingValue:
    """A setting as it is.

    Attributes:
        name: of the setting.
        value: what holds, with secrets hidden.
        source: ``default``, ``file``, ``environment`` or ``flag``.
        place: the file, variable or option that gave it; empty for a default.
    """

    name: str
    value: str | int | float | bool
    source: str
    place: str


def setting_values(settings: Settings, options: Mapping[str, Any]) -> list[SettingValue]:
    """Return the value of every setting and where it came from.

    Args:
        settings: as ``load_settings`` read them.
        options: those that were given on the command line.
    """
    given = setting_sources(options)
    values = []
    for name in Settings.model_fields:
        source = next((kind for kind, content in given.items() if name in content), "default")
        place = _place(settings, name, source)
        kind = FILE if source == OWN_FILE else source
        values.append(SettingValue(name, shown(name, getattr(settings, name)), kind, place))
    return values


def named_home(options: Mapping[str, Any]) -> Path:
    """The home that options or the environment name, without reading its file."""
    named = options.get("home") or named_in_environment().get("home") or DEFAULT_HOME
    return Path(named).expanduser().absolute()


def shown(name: str, value: object) -> str | int | float | bool:
    """A setting's value as it may be shown: without secrets, as what JSON can hold."""
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    if name.endswith("_url"):
        return shown_address(text)
    return HIDDEN if text and name in SECRETS else text


def explanations() -> dict[str, str]:
    """One line about each setting, as the documentation of ``Settings`` gives it."""
    _, _, attributes = (Settings.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()).replace("``", "").rstrip(".") for name, text in found}


def _place(settings: Settings, name: str, source: str) -> str:
    variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
    places = {
        FLAG: f"--{name.replace('_', '-')}",
        ENVIRONMENT: variable,
        FILE: str(settings.home / TOML_NAME),
        OWN_FILE: os.environ.get(f"{variable}{FILE_SUFFIX}", ""),
    }
    return places.get(source, "")
