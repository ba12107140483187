"""Making a backup of a home, also while its worker works.

In this order, because what is done in the database must be in the bank and among the artifacts, not the other way
round: the database, by SQLite's own backup, which is one moment of it; then each bank, by the process that holds it,
between two items; then artifacts, whose files never change. Items that were done meanwhile are done again after the
backup was put back, and add nothing twice. Messages need no backup: the reconciler sends them again.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from freeda_svc.errors import InputError, NotFoundError, UnavailableError, one_line
from freeda_svc.jobs.banks import open_banks
from freeda_svc.settings import TOML_NAME, Settings
from freeda_svc.whole_files import ASIDE, check_room, copy_file, folder_placed_whole
from freeda_svc.workers.backups.checksums import SUMS_NAME, write_sums
from freeda_svc.workers.queries import ask_bank

FORMAT = 1
ABOUT_NAME = "backup.json"
DATABASE_NAME, BANKS_NAME, ARTIFACTS_NAME = "jobs.sqlite", "banks", "artifacts"
BANK_PATIENCE_SECONDS = 24 * 3600.0
"""How long the worker may take until it has copied a bank; long items come first."""
SPARE_BYTES = 64 << 20
BLOCK_BYTES = 512


@dataclass(frozen=True)
class Saved:
    """What a backup holds.

    Attributes:
        format: of the backup's folder.
        version: of freeda that made it.
        made: when, ISO 8601 in UTC.
        home: the folder it is of.
        revision: of the database's schema.
        pack: name or path of the model pack in use; packs are not part of a backup.
        jobs: how many there are in it.
        banks: name, version and number of prototypes of each.
        files: how many there are in it.
        bytes: what they take on the disk.
        artifacts: where they are, when they are in a bucket and therefore not part of it; empty otherwise.
    """

    format: int
    version: str
    made: str
    home: str
    revision: str
    pack: str
    jobs: int
    banks: dict[str, int]
    files: int
    bytes: int
    artifacts: str = ""


def check_single(settings: Settings) -> None:
    """See that the home has a database and banks of its own.

    Raises:
        InputError: a server holds them.
    """
    own = {"database_url": settings.embedded_database, "qdrant_url": settings.embedded_bank}
    servers = [name for name, is_own in own.items() if not is_own]
    if servers:
        raise InputError(
            f"{' and '.join(servers)} set: a server has backups of its own (deploy/runbook.md); "
            "this is for a home that holds database and banks itself"
        )


def back_up_home(settings: Settings, place: Path, on_progress: Callable[[int, int], object]) -> Saved:
    """Copy what cannot be made again of a home into a new folder, which appears whole or not at all.

    Args:
        settings: the installation.
        place: the folder to make; not there, or empty.
        on_progress: is called with how many files of how many are copied.

    Raises:
        NotFoundError: there is nothing in the home yet.
        InputError: the place is not empty or within the home, the database is damaged, or servers hold what there is.
        BusyError: another command has a bank open.
        UnavailableError: something cannot be read or written, or the worker does not answer.
    """
    check_single(settings)
    place = Path(os.path.abspath(place))  # noqa: PTH100 - links are kept as the person wrote them
    if not settings.database_file.is_file():
        raise NotFoundError(f"there is no database in {settings.home}: nothing to back up yet")
    if place.is_relative_to(settings.home):
        raise InputError(f"{place} lies within the home itself: give a folder on another disk")
    check_room(place, _size(settings) + SPARE_BYTES)
    with folder_placed_whole(place) as aside:
        try:
            return _fill(settings, aside, on_progress)
        except OSError as error:
            raise UnavailableError(f"the backup cannot be made: {error.strerror} ({error.filename})") from error


def _fill(settings: Settings, aside: Path, on_progress: Callable[[int, int], object]) -> Saved:
    revision, jobs = _save_database(settings.database_file, aside / DATABASE_NAME)
    with (aside / DATABASE_NAME).open("rb") as content:
        sums = [(DATABASE_NAME, hashlib.file_digest(content, "sha256").hexdigest())]
    banks = {}
    with closing(open_banks(settings)) as there:
        summaries = there.summaries()
    patient = settings.model_copy(update={"query_timeout_seconds": BANK_PATIENCE_SECONDS})
    for summary in summaries:
        place = f"{BANKS_NAME}/{summary.bank.name}/{summary.bank.version}"
        copied = ask_bank(patient, "copy_bank", bank=str(summary.bank), folder=str(aside / place))
        sums += [(f"{place}/{name}", digest) for name, digest in copied["files"]]
        banks[str(summary.bank)] = copied["prototypes"]
    for current in sorted(settings.banks_folder.glob("*/current")):
        name = f"{BANKS_NAME}/{current.parent.name}/{current.name}"
        sums.append((name, copy_file(current, aside / name)))
    files = _artifacts(settings)
    for number, file in enumerate(files):
        on_progress(number, len(files))
        name = f"{ARTIFACTS_NAME}/{file.relative_to(settings.artifacts_folder).as_posix()}"
        try:
            sums.append((name, copy_file(file, aside / name)))
        except FileNotFoundError:  # pruned meanwhile
            continue
    on_progress(len(files), len(files))
    toml = settings.home / TOML_NAME
    if toml.is_file():
        sums.append((TOML_NAME, copy_file(toml, aside / TOML_NAME)))
    write_sums(aside / SUMS_NAME, sums)
    saved = Saved(
        format=FORMAT,
        version=metadata.version("freeda-svc"),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        home=str(settings.home),
        revision=revision,
        pack=settings.pack,
        jobs=jobs,
        banks=banks,
        files=len(sums),
        bytes=sum((aside / name).stat().st_blocks * BLOCK_BYTES for name, _ in sums),
        artifacts=settings.artifacts if settings.artifacts_on_s3 else "",
    )
    (aside / ABOUT_NAME).write_text(json.dumps(asdict(saved), indent=2) + "\n", encoding="utf-8")
    return saved


def _save_database(source: Path, target: Path) -> tuple[str, int]:
    """Copy one moment of a database that others write, and see that it is whole."""
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written)  # in one go, so that who writes meanwhile does not make it begin again
            check_whole(written, source)
            target.chmod(0o600)
            written.execute("PRAGMA journal_mode = DELETE")  # one file, without -wal and -shm beside it
            (revision,) = written.execute("SELECT version_num FROM alembic_version").fetchone()
            (jobs,) = written.execute("SELECT count(*) FROM jobs").fetchone()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{source} cannot be backed up ({error}): see `freeda doctor`") from error
    return str(revision), int(jobs)


def check_whole(connection: sqlite3.Connection, named: Path) -> None:
    """See that a database is not damaged.

    Raises:
        InputError: it is.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise InputError(f"{named} is damaged ({one_line(found)}): see `freeda doctor`")


def _artifacts(settings: Settings) -> list[Path]:
    """Files of inputs and results, without those that are just being written; none where they are in a bucket."""
    if settings.artifacts_on_s3:
        return []
    return sorted(path for path in settings.artifacts_folder.rglob("*") if path.is_file() and not path.match(ASIDE))


def _size(settings: Settings) -> int:
    """How much there is to copy, without holes of files."""
    paths = [settings.database_file, *settings.banks_folder.rglob("*"), *_artifacts(settings)]
    return sum(path.stat().st_blocks * BLOCK_BYTES for path in paths if path.is_file())
