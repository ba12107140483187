"""Questions to a worker about banks, and the nouns of banks as they were an instant ago."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from freeda_svc.errors import UnavailableError
from freeda_svc.parameters import fold_text
from freeda_svc.settings import Settings
from freeda_svc.workers import ask_worker

READ_SECONDS = 10.0
"""So long a question that changes nothing waits for a worker that is busy."""
FRESH_SECONDS, STALE_SECONDS = 2.0, 60.0
"""Nouns are taken from memory for a moment in any case, and for longer while the worker is busy."""
MOST_BANKS_KEPT = 8

Ranked = list[tuple[str, str, int]]
"""Nouns, the same folded for comparing, and numbers of prototypes."""


def ask(settings: Settings, question: str, *, seconds: float | None = READ_SECONDS, **arguments: Any) -> Any:  # noqa: ANN401
    """Ask a worker about banks; see ``freeda_svc.workers.ask_worker``."""
    return ask_worker(settings, question, seconds=seconds, **arguments)


@dataclass
class _Nouns:
    """The nouns of a bank as they were; ``lock`` is held by who asks for them again."""

    ranked: Ranked = field(default_factory=list)
    version: dict[str, Any] | None = None
    bank: str = ""
    looked: float = float("-inf")
    may_have_changed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def age(self) -> float:
        return time.monotonic() - self.looked

    def is_fresh(self) -> bool:
        return self.age() < FRESH_SECONDS and not self.may_have_changed


class KeptNouns:
    """Remembers the nouns of a few banks, for as long as these have not changed."""

    def __init__(self) -> None:
        self._banks: OrderedDict[tuple[str, str], _Nouns] = OrderedDict()
        self._lock = threading.Lock()

    def ranked(self, settings: Settings, bank: str) -> Ranked:
        """Return the nouns of a bank, those with most prototypes first.

        Raises:
            NotFoundError: there is no such bank.
            UnavailableError: no worker answers, and nothing fresh enough is remembered.
        """
        key = (str(settings.home), bank)
        with self._lock:
            nouns = self._banks.setdefault(key, _Nouns())
            self._banks.move_to_end(key)
            while len(self._banks) > MOST_BANKS_KEPT:
                self._banks.popitem(last=False)
        if nouns.is_fresh():
            return nouns.ranked
        may_be_old = nouns.age() < STALE_SECONDS
        if not nouns.lock.acquire(blocking=nouns.may_have_changed or not may_be_old):
            return nouns.ranked  # somebody is asking
        try:
            if not nouns.is_fresh():
                _look_again(settings, bank, nouns)
        except UnavailableError:
            if not may_be_old:
                raise
        finally:
            nouns.lock.release()
        return nouns.ranked

    def note_change(self) -> None:
        """Ask again at the next question: this server itself has changed a bank."""
        with self._lock:
            self._banks.clear()

    def note_job_end(self) -> None:
        """Ask again at the next question, if a worker has time for it: a job has ended, which may have taught."""
        with self._lock:
            for nouns in self._banks.values():
                nouns.may_have_changed = True


def _look_again(settings: Settings, bank: str, nouns: _Nouns) -> None:
    nouns.may_have_changed = False  # what changes from now on may be missing
    named = ask(settings, "resolve_bank", bank=bank)
    version = ask(settings, "bank_revision", bank=named)
    # A bank that was dropped and made again may look the same for a moment.
    if (named, version) != (nouns.bank, nouns.version) or nouns.age() > STALE_SECONDS:
        counts = ask(settings, "count_nouns", bank=named)
        ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        nouns.ranked = [(noun, fold_text(noun), count) for noun, count in ranked]
        nouns.bank, nouns.version = named, version
    nouns.looked = time.monotonic()


kept_nouns = KeptNouns()
