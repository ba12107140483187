"""Changes of a bank: each is there whole or not at all, and is followed by another revision of the bank."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from freeda_svc.bank.engine import Engine, Point, Where
from freeda_svc.bank.points import (
    ADDITIONS,
    APPEARANCE,
    KEY,
    LEAVING,
    MARKED,
    PROTOTYPE,
    REGISTERS,
    REMOVALS,
    REPAIR,
    STAMP,
    TOTAL,
    hide,
    make_points,
    show,
)
from freeda_svc.bank.records import Revision
from freeda_svc.batching import batched
from freeda_svc.counts import counted
from freeda_svc.errors import InputError
from freeda_svc.prototypes import Prototype

IDS_AN_OPERATION = 10_000
EVERY_VECTOR = (KEY, PROTOTYPE, APPEARANCE)


class Changes:
    """Adds to a collection, marks and removes, one change at a time, and knows the bank's revision.

    Every operation also writes the register that holds half of the revision. Where the collection is shared, a server
    applies an operation point by point, so the register is written once more behind it: what was read meanwhile is
    looked at again.
    """

    def __init__(self, engine: Engine) -> None:
        """Take a collection.

        Args:
            engine: the collection.
        """
        self._engine = engine
        self._writing = threading.Lock()
        self._known: Revision | None = None  # where nobody else can change it

    def revision(self) -> Revision:
        """The bank's revision now: two points are looked up, none where no other process can change the bank."""
        known = self._known
        return known if known is not None else self._read_revision()

    def begin(self) -> None:
        """Make the registers where they are missing, and see that nothing is lost.

        Raises:
            InputError: prototypes are missing, or some of their vectors.
            UnavailableError: the engine does not answer.
        """
        with self._writing:
            found = self._registers()
            missing = [Point(name, {STAMP: 0 if name == ADDITIONS else ""}) for name in REGISTERS if name not in found]
            if missing:
                self._engine.write(missing, replaces=())  # another process may have just made them
            if self._engine.shared:
                return
            self._recover()
            expected, there = self._total(), self._count()
            if expected != there:
                raise self._damaged(f"it holds {counted(there, 'prototype')}, expected {expected:,}")
            self._check_vectors()

    def add(self, prototypes: Mapping[str, Prototype]) -> int:
        """Store prototypes by their ids, those that are not there yet; returns how many these were."""
        added = 0
        with self._alone():
            appearances = (one.appearance for one in prototypes.values() if one.appearance is not None)
            if (appearance := next(appearances, None)) is not None:
                self._engine.add_vector(APPEARANCE, len(appearance))
            for some in batched(prototypes.items(), self._engine.points_an_operation):
                there = {point.id for point in self._engine.retrieve([identifier for identifier, _ in some])}
                fresh = {identifier: prototype for identifier, prototype in some if identifier not in there}
                if fresh:
                    self._add_batch(fresh)
                    added += len(fresh)
            if added:
                self._engine.flush()
        return added

    def forget(self, ids: Sequence[str]) -> int:
        """Remove prototypes; returns how many there were."""
        removed = 0
        with self._alone():
            for some in batched(ids, IDS_AN_OPERATION):
                there = [point.id for point in self._engine.retrieve(some)]
                if there:
                    self._remove(there)
                    removed += len(there)
            if removed:
                self._engine.flush()
        return removed

    def mark(self, reasons: Mapping[str, str]) -> int:
        """Mark prototypes as outliers; returns how many were none before."""
        return self._rewrite(list(reasons), lambda point: hide(point, reasons[point.id]), counts=0)

    def unmark(self, ids: Sequence[str]) -> int:
        """Take marks back; returns how many there were."""
        return self._rewrite(ids, lambda point: show(point) if point.payload.get(MARKED) else None, counts=1)

    def _check_vectors(self) -> None:
        """See that the engine takes no vector for deleted that is there, nor one for there that is deleted.

        It keeps this in a file of its own, a bit a point. Whoever reads a prototype misses a vector, but a search
        finds fewer or more than it should, without a word.

        Raises:
            InputError: it does.
        """
        count = self._engine.count
        marked = Where(equal={MARKED: 1})
        hidden = count(marked)
        if (
            count(replace(marked, has=[KEY]))
            or count(Where(lacks=[KEY])) != hidden + len(REGISTERS)
            or count(Where(lacks=[PROTOTYPE])) != len(REGISTERS)
        ):
            raise self._damaged("vectors of prototypes are missing, or keys of outliers are not hidden")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody of this process change anything meanwhile; what failed before is settled first."""
        with self._writing:
            if self._known is None and not self._engine.shared:
                self._recover()
            yield

    def _recover(self) -> None:
        """Settle a removal that was cut off: it is done where its points are gone, and not begun where they are not."""
        leaving = self._registers()[REMOVALS].payload.get(LEAVING)
        if leaving:
            gone = len(leaving) - len(self._engine.retrieve(leaving))
            self._end_removal(self._next_removal(), self._total() - gone)
        self._known = self._read_revision()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let nobody of this process change anything meanwhile."""
        with self._writing:
            yield

    def _rewrite(self, ids: Sequence[str], changed: Callable[[Point], Point | None], *, counts: int) -> int:
        """Replace points by what ``changed`` gives; returns how many of them were marked before (or not marked)."""
        number, is_changed = 0, False
        with self._alone():
            for some in batched(ids, self._engine.points_an_operation):
                before = self._engine.retrieve(some, payload=True, vectors=EVERY_VECTOR)
                after = [point for point in map(changed, before) if point is not None]
                if after:
                    self._replace(after)
                    number += sum(point.payload.get(MARKED) == counts for point in before)
                    is_changed = True
            if is_changed:
                self._engine.flush()
        return number

    def _add_batch(self, prototypes: Mapping[str, Prototype]) -> None:
        revision = self.revision()
        stamp = max(time.time_ns() // 1000, revision.additions + 1)
        points = make_points(prototypes, stamp)
        total = None if self._engine.shared else self._total() + len(points)
        register = {STAMP: stamp} if total is None else {STAMP: stamp, TOTAL: total}
        with self._changing(Revision(stamp, revision.removals), total):
            self._engine.write([*points, Point(ADDITIONS, register)], replaces=REGISTERS)
            if self._engine.shared:
                # The server applies an operation point by point. What was read while it did is looked at again; not
                # for the same number as others who add at this very moment.
                later = stamp + random.randint(1, 1_000_000)  # noqa: S311 - no secret; at most a second
                self._engine.write([Point(ADDITIONS, {STAMP: later})])

    def _replace(self, points: Sequence[Point]) -> None:
        """Write whole points in the place of those that are there, and change the revision."""
        if points:
            revision = self._next_removal()
            with self._changing(revision):
                self._engine.write([*points, Point(REMOVALS, {STAMP: revision.removals})])
                if self._engine.shared:  # as above
                    self._engine.write([Point(REMOVALS, {STAMP: self._next_removal().removals})])

    def _remove(self, ids: Sequence[str]) -> None:
        revision = self._next_removal()
        total = None if self._engine.shared else self._total() - len(ids)
        with self._changing(revision, total):
            if total is None:
                # The revision changes afterwards, for readers that came meanwhile, and before, should this be cut off.
                self._engine.write([Point(REMOVALS, {STAMP: self._next_removal().removals})])
                self._engine.delete(ids)
                self._engine.write([Point(REMOVALS, {STAMP: revision.removals})])
            else:
                self._engine.write([Point(REMOVALS, {STAMP: revision.removals, LEAVING: list(ids)})])
                self._engine.delete(ids)
                self._end_removal(revision, total)

    def _end_removal(self, revision: Revision, total: int) -> None:
        additions = Point(ADDITIONS, {STAMP: revision.additions, TOTAL: total})
        self._engine.write([additions, Point(REMOVALS, {STAMP: revision.removals})])

    def _next_removal(self) -> Revision:
        return Revision(self.revision().additions, uuid.uuid4().hex)

    @contextmanager
    def _changing(self, revision: Revision, total: int | None = None) -> Iterator[None]:
        """Let readers see another revision once a change is done; after a failure it is read from the bank."""
        try:
            yield
            if not self._engine.shared:
                self._check_done(revision, total)
        except BaseException:
            self._known = None
            raise
        if not self._engine.shared:
            self._known = revision

    def _check_done(self, revision: Revision, total: int | None) -> None:
        """Check that the engine has applied a change; it does not where its log is older than its points.

        Raises:
            InputError: it has not applied it.
        """
        if self._read_revision() != revision or (total is not None and self._count() != total):
            raise self._damaged("it takes no changes any more")

    def _damaged(self, what: str) -> InputError:
        return InputError(f"{self._engine.place} is damaged: {what}; {REPAIR}")

    def _total(self) -> int:
        return int(self._registers()[ADDITIONS].payload.get(TOTAL, 0))

    def _registers(self) -> dict[str, Point]:
        return {point.id: point for point in self._engine.retrieve(REGISTERS, payload=True)}

    def _read_revision(self) -> Revision:
        found = self._registers()
        additions, removals = (found.get(name, Point(name)).payload.get(STAMP) for name in REGISTERS)
        return Revision(int(additions or 0), str(removals or ""))

    def _count(self) -> int:
        return self._engine.count() - len(REGISTERS)
