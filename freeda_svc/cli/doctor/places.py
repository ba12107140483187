"""Can the home be used? Folders, disk space, and the kind of file system."""

import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from freeda_svc.cli.console import size_text
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.private_folders import rights_of_others
from freeda_svc.settings import Settings

LITTLE_BYTES = 2 << 30
"""Below this a bank, an import or a log may fill the disk before anybody looks."""
TOO_LITTLE_BYTES = 200 << 20
"""Below this nothing should be begun."""

_ADVICE = "make it writable for the user who runs freeda (mount options, chown); what is in it stays as it is"
_ADVICE_NEW = "give another one: --home or FREEDA_HOME"
MOUNTS = Path("/proc/self/mounts")
_SHARED_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "lustre", "ceph", "glusterfs"})


def look_at_home(settings: Settings) -> Iterator[Finding]:
    """Can the home be written, or made?"""
    home = settings.home
    nearest = nearest_folder(home)
    if not nearest.is_dir():
        yield wrong("home", f"{home} cannot be made: {nearest} is no folder", "give another one: --home or FREEDA_HOME")
        return
    for place in (nearest, *_parts(settings)):
        reason = why_unwritable(place)
        if reason:
            yield wrong("home", f"{place} cannot be written: {reason}", _ADVICE if home.exists() else _ADVICE_NEW)
            return
    if home.is_dir() and rights_of_others(home):
        yield note(
            "home",
            f"{home} can be entered by other users of this machine: captions, images, logs and the database lie there",
            f"run: chmod {stat.S_IMODE(home.stat().st_mode) & ~rights_of_others(home):o} {shlex.quote(str(home))}",
        )
    yield ok("home", str(home) if home.is_dir() else f"{home} is not there yet; the first command makes it")
    kind = file_system(nearest)
    if kind in _SHARED_FILE_SYSTEMS:
        yield note(
            "home",
            f"lies on a network file system ({kind}), where SQLite and file locks cannot be relied on",
            "keep the home on a local disk; machines share a database, a broker and a Qdrant server instead",
        )


def _parts(settings: Settings) -> list[Path]:
    """What a worker writes, as far as it is there."""
    folders = (settings.broker_folder, settings.logs_folder, settings.locks_folder, settings.banks_folder)
    parts = [*folders, settings.artifacts_folder, settings.database_file]
    return [part for part in parts if part.exists()]


def why_unwritable(place: Path) -> str:
    """Why a folder or file cannot be written; empty when it can."""
    if os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
        return ""
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return "its file system is mounted read-only"
    try:
        owner = place.owner()
    except KeyError:  # a user that this machine does not know
        owner = str(place.stat().st_uid)
    return f"it belongs to {owner}, and this is user {os.geteuid()}"


def look_at_disk(settings: Settings) -> Iterator[Finding]:
    """Is there room?"""
    seen: set[int] = set()
    for folder in (settings.home, settings.artifacts_folder, settings.packs_folder):
        nearest = nearest_folder(folder)
        device = nearest.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(nearest).free
        free_space = f"{size_text(free)} free for {folder}"
        if free < TOO_LITTLE_BYTES:
            yield wrong("disk", free_space, "make room before anything else")
        elif free < LITTLE_BYTES:
            yield note("disk", free_space, "make room soon: `freeda jobs prune` removes what old jobs left")
        else:
            yield ok("disk", free_space)


def nearest_folder(path: Path) -> Path:
    """The path itself, or the nearest one above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def file_system(path: Path) -> str:
    """What kind of file system a path lies on, as the kernel names it; empty where that is not known."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    mounts = [line.split(" ") for line in lines]
    resolved = path.resolve()
    above = [(mount[1], mount[2]) for mount in mounts if resolved.is_relative_to(_unescaped(mount[1]))]
    return max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _unescaped(place: str) -> str:
    """Read a path of the kernel's list, which writes blanks as octal numbers."""
    return place.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
