"""Which results are older than what is in the bank now."""

from collections.abc import Callable, Mapping
from typing import Any

from freeda_svc.errors import UnavailableError

BankRevision = Mapping[str, Any]
"""The content of a bank at a moment: ``additions`` and ``removals`` of ``freeda_svc.bank.Revision``."""


class BankAge:
    """Tells results from before the bank's last change; the bank is queried once, for the first result.

    Attributes:
        unknown: why the bank's revision is not known; empty when it is, or was not needed.
    """

    def __init__(self, ask: Callable[[], BankRevision], *, keep_older: bool) -> None:
        """Take a bank.

        Args:
            ask: returns the bank's revision now; raises ``UnavailableError`` where the bank does not answer.
            keep_older: older results are kept, so it does not matter whether the bank answers: nothing counts as older
                then.
        """
        self._ask = ask
        self._keep_older = keep_older
        self._now: BankRevision | None = None
        self.unknown = ""

    def is_older(self, made: BankRevision | None) -> bool:
        """Whether the bank has changed since its revision was ``made``; also where that revision is not known.

        Raises:
            UnavailableError: the bank does not answer, and older results are not to be kept.
        """
        if self.unknown:
            return False
        try:
            if self._now is None:
                self._now = self._ask()
        except UnavailableError as error:
            if not self._keep_older:
                raise UnavailableError(
                    f"which files are older than the bank is not known: {error}; --keep-older keeps them all"
                ) from error
            self.unknown = str(error)
            return False
        return made != self._now
