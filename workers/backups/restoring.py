"""Putting a backup back into a home that is not there yet."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from freeda_svc.counts import counted
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.migrations import HEAD
from freeda_svc.settings import TOML_NAME, Settings, load_settings
from freeda_svc.whole_files import check_empty, check_room, copy_file, folder_placed_whole
from freeda_svc.workers.backups.checksums import SUMS_NAME, read_sums
from freeda_svc.workers.backups.saving import (
    ABOUT_NAME,
    ARTIFACTS_NAME,
    BLOCK_BYTES,
    DATABASE_NAME,
    FORMAT,
    SPARE_BYTES,
    Saved,
    check_single,
    check_whole,
)


def restore_home(settings: Settings, backup: Path, on_progress: Callable[[int, int], object]) -> Saved:
    """Make a home of a backup, which appears whole or not at all; every file is checked against its checksum.

    Args:
        settings: the installation; its home, and its folder of artifacts where that lies elsewhere, are not there or
            empty.
        backup: the folder that `back_up_home` made.
        on_progress: is called with how many files of how many are put back.

    Raises:
        InputError: it is no backup, of a later version, or damaged; or there is something in the home already.
        UnavailableError: something cannot be read or written.
    """
    check_single(settings)
    check_empty(settings.home)
    try:
        about = _read_about(backup)
        sums = read_sums(backup / SUMS_NAME)
        size = sum((backup / name).stat().st_blocks * BLOCK_BYTES for name, _ in sums)
    except OSError as error:
        raise InputError(f"{backup} is no backup, or not whole: {error.strerror} ({error.filename})") from error
    check_room(settings.home, size + SPARE_BYTES)
    with folder_placed_whole(settings.home) as aside:
        own = [pair for pair in sums if not pair[0].startswith(f"{ARTIFACTS_NAME}/")]
        artifacts = [pair for pair in sums if pair[0].startswith(f"{ARTIFACTS_NAME}/")]
        # The settings file says where artifacts belong, so it comes first.
        own.sort(key=lambda pair: pair[0] != TOML_NAME)
        _copy(backup, aside, own, lambda done: on_progress(done, len(sums)))
        _check_database(aside / DATABASE_NAME, backup)
        named = load_settings(**{**settings.model_dump(include=settings.model_fields_set), "home": aside})
        _copy_artifacts(backup, aside, named, artifacts, lambda done: on_progress(len(own) + done, len(sums)))
    return about


def _read_about(backup: Path) -> Saved:
    try:
        found: dict[str, Any] = json.loads((backup / ABOUT_NAME).read_text(encoding="utf-8"))
        about = Saved(**found)
    except (ValueError, TypeError) as error:
        raise InputError(f"{backup / ABOUT_NAME} is damaged, or of a version that this one does not know") from error
    if about.format != FORMAT or about.revision > HEAD:
        raise InputError(f"{backup} was made by freeda {about.version}: use that version, or a later one")
    return about


def _copy_artifacts(
    backup: Path, aside: Path, named: Settings, sums: list[tuple[str, str]], on_done: Callable[[int], object]
) -> None:
    if named.artifacts_on_s3:
        if sums:
            raise InputError(
                f"the backup holds {counted(len(sums), 'file')} of artifacts, and the settings name {named.artifacts}: "
                "restore with FREEDA_ARTIFACTS= set to a folder, and copy that into the bucket"
            )
        return
    if named.artifacts_folder == aside / ARTIFACTS_NAME:
        _copy(backup, aside, sums, on_done)
        return
    # Elsewhere: in place before the home is, because the database speaks of them.
    inner = [(name.removeprefix(f"{ARTIFACTS_NAME}/"), digest) for name, digest in sums]
    with folder_placed_whole(named.artifacts_folder) as folder:
        _copy(backup / ARTIFACTS_NAME, folder, inner, on_done)


def _copy(source: Path, target: Path, sums: list[tuple[str, str]], on_done: Callable[[int], object]) -> None:
    for number, (name, digest) in enumerate(sums, 1):
        try:
            found = copy_file(source / name, target / name)
        except FileNotFoundError as error:
            raise InputError(f"the backup is damaged: {source / name} is missing") from error
        except OSError as error:
            raise UnavailableError(f"the backup cannot be put back: {error.strerror} ({error.filename})") from error
        if found != digest:
            raise InputError(f"the backup is damaged: {source / name} has changed since it was made")
        on_done(number)


def _check_database(file: Path, backup: Path) -> None:
    try:
        with closing(sqlite3.connect(file)) as connection:
            check_whole(connection, backup / DATABASE_NAME)
    except sqlite3.DatabaseError as error:
        raise InputError(f"{backup / DATABASE_NAME} is damaged ({error})") from error
