"""Run as a process of its own: changes banks as it is told, in children that can be killed at any moment.

It reads a line of JSON for each child: the bank's folder, a list of changes, each a kind and a number of a batch, and
the step at which the child kills itself (null where it does not). It says on standard output what the child does:
``open PID``, ``done`` after each change, and at last ``killed`` or ``ended`` with its status. Where the first change is
one of a place of banks (``create`` or ``drop``, with the number of the version), the folder is that place.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType

import numpy as np
from qdrant_edge import EdgeShard

from freeda_svc.bank import BankName, EmbeddedBanks, PrototypeStore, make_or_open_folder, point_id
from freeda_svc.bank.moving import export_bank, import_bank, read_archive_manifest
from freeda_svc.bank.moving.tables import load_parquet
from freeda_svc.errors import FreedaError, UnavailableError
from freeda_svc.prototypes.record import Prototype

PACK = "changed"
KEY_DIMENSION, VECTOR_DIMENSION = 8, 6
BATCH = 5
ARCHIVES = 2
BATCHES_AN_ARCHIVE = 3
STEPS = {
    (EdgeShard, "update"),
    (EdgeShard, "flush"),
    (EdgeShard, "close"),
    *((ModuleType, name) for name in ("mkdir", "open", "replace", "rename", "fsync", "unlink", "rmdir", "print")),
}
"""What reaches the disk: calls of the engine and of the system; and the report."""

Change = tuple[str, int]


@cache
def make_batch(number: int) -> list[Prototype]:
    """A batch with new nouns and old ones, one outlier from the beginning, and in each third batch appearances."""
    generator = np.random.default_rng(number)
    appearances = generator.normal(size=(BATCH, KEY_DIMENSION))
    appearances /= np.linalg.norm(appearances, axis=1, keepdims=True)
    return [
        Prototype(
            noun=("common", f"noun {number}", f"noun {number % 7}")[i % 3],
            caption_id=f"{number:08x}{i:08x}",
            caption=f"batch {number}",
            spans=((0, 4),),
            seed=number,
            key=generator.normal(size=KEY_DIMENSION).astype(np.float32),
            vector=generator.normal(size=VECTOR_DIMENSION).astype(np.float32),
            mask_area=0.5,
            contrast=0.5,
            image_text_score=0.5,
            pack=PACK,
            job=f"job {number}",
            outlier="from the beginning" if i == 0 else "",
            appearance=appearances[i].astype(np.float32) if number % 3 == 2 else None,
        )
        for i in range(BATCH)
    ]


def batches_of_archive(number: int) -> range:
    """The batches that one of the `ARCHIVES` holds."""
    return range(BATCHES_AN_ARCHIVE * number, BATCHES_AN_ARCHIVE * (number + 1))


def make_archives(bank: Path) -> None:
    """Make the archives that are imported into a bank, of several parts each."""
    for number in range(ARCHIVES):
        with open_bank(bank.with_name(f"exported-{number}")) as store:
            for batch in batches_of_archive(number):
                store.add(make_batch(batch))
            export_bank(store, archive_of(bank, "import", number), parameters={}, rows_a_part=BATCH)


def archive_of(bank: Path, kind: str, number: int) -> Path:
    """The archive that a change exports or imports."""
    return bank.with_name("archives") / f"{kind}-{number}"


def is_archive(folder: Path) -> bool:
    """Whether a folder says it is a whole archive."""
    try:
        read_archive_manifest(folder)
    except FreedaError:
        return False
    return True


def move(store: PrototypeStore, bank: Path, kind: str, number: int) -> int:
    """Import one of the archives, or export into a new one, again where that was cut off."""
    archive = archive_of(bank, kind, number)
    if kind == "import":
        return import_bank(archive, store).added
    if not is_archive(archive):
        export_bank(store, archive, parameters={}, rows_a_part=BATCH)
    return 0


def perform(store: PrototypeStore, change: Change, bank: Path | None = None) -> int:
    """Add a batch, take it away, forget, mark or unmark two of it, pack the bank, import into it or export it.

    Args:
        store: the bank.
        change: what, and its number: of a batch, or of an archive.
        bank: its folder, beside which archives lie.
    """
    kind, number = change
    if kind in {"import", "export"}:
        assert bank is not None
        return move(store, bank, kind, number)
    ids = [point_id(prototype) for prototype in make_batch(number)]
    if kind == "add":
        return store.add(make_batch(number))
    if kind in {"forget", "take away"}:
        return store.forget(ids[:2] if kind == "forget" else ids)
    if kind == "mark":
        return store.mark({ids[-1]: "odd", ids[-2]: "small"})
    if kind in {"pack", "index"}:
        with suppress(UnavailableError):  # the process that does it was killed
            store.optimize(index_prototypes=kind == "index")
        return 0
    assert kind == "unmark"
    return store.unmark(ids[-2:])


def expect(reasons: dict[str, str], change: Change) -> dict[str, str]:
    """The reasons for which prototypes are marked (empty: not marked) by their ids, after a change."""
    kind, number = change
    if kind == "export":
        return reasons
    if kind == "import":
        for added in batches_of_archive(number):
            reasons = expect(reasons, ("add", added))
        return reasons
    batch = {point_id(prototype): prototype.outlier for prototype in make_batch(number)}
    ids = list(batch)
    if kind == "add":
        return batch | reasons
    if kind in {"forget", "take away"}:
        gone = ids[:2] if kind == "forget" else ids
        return {identifier: reason for identifier, reason in reasons.items() if identifier not in gone}
    marks = {ids[-1]: "odd", ids[-2]: "small"} if kind == "mark" else dict.fromkeys(ids[-2:], "")
    return reasons | {identifier: reason for identifier, reason in marks.items() if identifier in reasons}


def is_step(called: object) -> bool:
    return (type(getattr(called, "__self__", None)), getattr(called, "__name__", "")) in STEPS


def at_step(step: int, event: str, happens: Callable[[object], None]) -> None:
    """Have something happen at what is the ``step``-th, from 0 on, of the things in `STEPS` in this thread.

    Args:
        step: which.
        event: ``c_call`` for just before it, ``c_return`` for just after it.
        happens: is given the function that is called; what it raises is raised from there.
    """
    left = step

    def count(_: FrameType, seen: str, called: object) -> None:
        nonlocal left
        if seen == event and is_step(called):
            left -= 1
            if left < 0:
                sys.setprofile(None)
                happens(called)

    sys.setprofile(count)


def calls_of(change: Callable[[], object]) -> list[str]:
    """The names of the things in `STEPS` that a change does, in their order."""
    names: list[str] = []

    def note(_: FrameType, seen: str, called: object) -> None:
        if seen == "c_call" and is_step(called):
            names.append(called.__name__)

    sys.setprofile(note)
    try:
        change()
    finally:
        sys.setprofile(None)
    return names


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def say(line: str) -> None:
    print(f"{line}\n", end="", flush=True)  # in one piece, so that no kill leaves half a line


def open_bank(folder: Path) -> PrototypeStore:
    """Open a bank for batches; it is made where there is none."""
    return make_or_open_folder(folder, PACK, KEY_DIMENSION, VECTOR_DIMENSION)


def change_bank(folder: Path, changes: list[Change], step: int | None) -> None:
    store = open_bank(folder)
    say(f"open {os.getpid()}")
    if step is not None:
        at_step(step, "c_call", die)
    for change in changes:
        perform(store, change, folder)
        say("done")
    store.close()


def change_banks(folder: Path, changes: list[Change], step: int | None) -> None:
    banks = EmbeddedBanks(folder)
    say(f"open {os.getpid()}")
    if step is not None:
        at_step(step, "c_call", die)
    for kind, version in changes:
        if kind == "create":
            banks.create(BankName("animals", version), PACK, KEY_DIMENSION, VECTOR_DIMENSION)
        else:
            banks.drop(BankName("animals", version))
        say("done")


def main() -> None:
    load_parquet()  # takes longer than the children live
    for line in sys.stdin:
        folder, changes, step = json.loads(line)
        child = os.fork()
        if not child:
            change = change_banks if changes[0][0] in {"create", "drop"} else change_bank
            change(Path(folder), [(kind, number) for kind, number in changes], step)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say("killed" if os.WIFSIGNALED(status) else f"ended {status}")


if __name__ == "__main__":
    main()
