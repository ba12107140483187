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

from freeda_svc.bank import BankName, EmbeddedBanks, QdrantStore, make_or_open_folder, point_id
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

PACK = "changed"
KEY_DIMENSION, VECTOR_DIMENSION = 8, 6
BATCH = 5
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


def perform(store: QdrantStore, change: Change) -> int:
    """Add a batch, take it away, forget, mark or unmark two of it, or pack the bank, perhaps with a graph."""
    kind, number = change
    ids = [point_id(prototype) for prototype in make_batch(number)]
    if kind == "add":
        return store.add(make_batch(number))
    if kind == "forget":
        return store.forget(ids[:2])
    if kind == "take away":
        return store.forget(ids)
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


def open_bank(folder: Path) -> QdrantStore:
    """Open a bank for batches; it is made where there is none."""
    return make_or_open_folder(folder, PACK, KEY_DIMENSION, VECTOR_DIMENSION)


def change_bank(folder: Path, changes: list[Change], step: int | None) -> None:
    store = open_bank(folder)
    say(f"open {os.getpid()}")
    if step is not None:
        at_step(step, "c_call", die)
    for change in changes:
        perform(store, change)
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
