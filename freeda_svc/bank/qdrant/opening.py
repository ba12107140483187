"""Opening the collection of a folder: several times in one process is the same bank, and one process owns it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from freeda_svc.bank.changes import Changes
from freeda_svc.bank.manifest import (
    Encoding,
    check_encoding,
    has_manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)
from freeda_svc.bank.qdrant.edge import EdgeEngine, create_shard
from freeda_svc.bank.qdrant.folder import check_room, folder_in_the_making
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.bank.records import Approximate
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError


@dataclass
class _Opened:
    """A collection that this process owns, and how many have it open."""

    engine: EdgeEngine
    changes: Changes
    users: int = 0


_opened: dict[Path, _Opened] = {}
_opening = threading.Lock()


def make_folder(folder: Path | str, pack: str, key_dimension: int, vector_dimension: int) -> None:
    """Make an empty bank in a folder that is not there or empty; a process that dies meanwhile leaves none.

    Args:
        folder: the bank's own folder.
        pack: fingerprint of the pack that makes its prototypes.
        key_dimension: Dt.
        vector_dimension: Dv.

    Raises:
        InputError: no pack, a dimension below 1, or the folder is something else.
        UnavailableError: the folder cannot be written.
    """
    manifest = new_manifest(pack, key_dimension, vector_dimension)
    # Nobody of this process opens it before its maker has let go of it.
    with _opening, folder_in_the_making(Path(folder)) as making:
        check_room(making)
        create_shard(making, manifest)
        write_manifest(making, manifest)


def open_folder(folder: Path | str, approximate: Approximate | None = None) -> PrototypeStore:
    """Open a bank of whatever pack and dimensions its manifest says.

    Args:
        folder: the bank's own folder.
        approximate: how to search when it need not be exact; its graph is built at the first search.

    Raises:
        NotFoundError: there is no such folder.
        InputError: the folder is not a bank, of the old kind, or damaged.
        BusyError: another process has the bank open.
        UnavailableError: the folder cannot be read or written.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    place = folder.resolve()
    with _opening:
        opened = _opened.get(place)
        if opened is None:
            opened = _opened[place] = _open(folder)
        opened.users += 1
    return PrototypeStore(opened.engine, opened.changes, manifest, approximate, _release(place))


def make_or_open_folder(
    folder: Path | str,
    pack: str,
    key_dimension: int,
    vector_dimension: int,
    approximate: Approximate | None = None,
) -> PrototypeStore:
    """Open a bank; make it when the folder does not exist or is empty. Arguments and errors as of the two above.

    Raises:
        InputError: it is a bank of another pack or dimension.
    """
    folder = Path(folder)
    if not has_manifest(folder):
        try:
            make_folder(folder, pack, key_dimension, vector_dimension)
        except InputError:
            if not has_manifest(folder):  # or else somebody has made it meanwhile
                raise
    wanted = Encoding(pack, key_dimension, vector_dimension)
    check_encoding(f"the bank {folder}", read_manifest(folder), wanted, "use that pack, or give another bank folder")
    return open_folder(folder, approximate)


def _open(folder: Path) -> _Opened:
    lock = FolderLock(folder)
    try:
        engine = EdgeEngine(folder, lock)
    except BaseException:
        lock.release()
        raise
    changes = Changes(engine)
    try:
        changes.begin()
        engine.note_count()
    except BaseException:
        engine.close()
        raise
    return _Opened(engine, changes)


def _release(place: Path) -> Callable[[], None]:
    def release() -> None:
        with _opening:
            opened = _opened[place]
            opened.users -= 1
            if opened.users == 0:
                del _opened[place]
                with opened.changes.paused():
                    opened.engine.close()

    return release
