"""Is what is installed what is required? Python, packages, and the settings."""

import os
import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from freeda_svc.addresses import HIDDEN
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.cli.setting_sources import shown
from freeda_svc.settings import ENVIRONMENT_PREFIX, FILE_SUFFIX, SECRETS, TOML_NAME, Settings

DISTRIBUTION = "freeda-svc"
_OWN_VARIABLES = frozenset({"FREEDA_SHARED"})
_READABLE_BY_OTHERS = 0o077


def look_at_python(_settings: Settings) -> Iterator[Finding]:
    """Is it a version that is admitted?"""
    version = platform.python_version()
    required = metadata.metadata(DISTRIBUTION)["Requires-Python"]
    if SpecifierSet(required).contains(version, prereleases=True):
        yield ok("python", version)
    else:
        yield wrong("python", f"{version}, required is {required}", "make a new environment with such a Python")


def look_at_packages(settings: Settings) -> Iterator[Finding]:
    """Is every package there, in a version that is admitted?"""
    needed = {"server"} if settings.database_url.startswith("postgresql") else set()
    complaints, absent, count = [], [], 0
    for text in metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        extra = _extra_of(requirement)
        if extra == "dev":
            continue
        found = _version(requirement.name)
        if found is None and extra not in {"", *needed}:
            absent.append(f"{requirement.name} (extra {extra})")
        elif found is None or not requirement.specifier.contains(found, prereleases=True):
            complaints.append(f"{requirement.name} {found or 'is missing'}, required is {requirement.specifier}")
        else:
            count += 1
    if complaints:
        yield wrong("packages", "; ".join(complaints), "install again: `make install`, or pip install 'freeda-svc'")
    else:
        yield ok("packages", f"{count} as required")
    if absent:
        yield note("packages", f"not installed: {', '.join(absent)}", "pip install 'freeda-svc[EXTRA]' where needed")


def look_at_settings(settings: Settings) -> Iterator[Finding]:
    """Are all settings files and variables used, and private where they hold secrets?"""
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields} | _OWN_VARIABLES
    known |= {f"{ENVIRONMENT_PREFIX}{name.upper()}{FILE_SUFFIX}" for name in SECRETS}
    stray = sorted(
        name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known
    )
    file = settings.home / TOML_NAME
    if stray:
        yield note("settings", f"{', '.join(stray)} is no setting", "correct the name: `freeda config` lists them")
    if _holds_secrets(settings) and file.is_file() and file.stat().st_mode & _READABLE_BY_OTHERS:
        yield note("settings", f"others can read {file}, which may hold a key or password", f"run: chmod 600 {file}")
    if not stray:
        yield ok("settings", f"from {file}" if file.is_file() else "defaults; `freeda init` writes a file to change")


def _holds_secrets(settings: Settings) -> bool:
    return any(HIDDEN in str(shown(name, getattr(settings, name))) for name in settings.model_fields_set)


def _extra_of(requirement: Requirement) -> str:
    """The extra that a requirement belongs to; empty when it is always needed."""
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return ""
    return next((extra for extra in extras if requirement.marker.evaluate({"extra": extra})), "dev")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
