"""What a check found, and running checks so that one that breaks or hangs does not hide the others."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from freeda_svc.errors import FreedaError, one_line
from freeda_svc.settings import Settings

PATIENCE_SECONDS = 60.0


class Verdict(StrEnum):
    """How a part is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """What was found about a part.

    Attributes:
        part: what was looked at.
        verdict: ``note`` is worth knowing, but does no harm now.
        found: one line about how it is.
        advice: what to do; empty when nothing is to be done.
    """

    part: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """A part and how to look at it.

    Attributes:
        part: what it is called.
        look: looks at it; may raise a FreedaError, whose message then is what was found.
        advice: what to do when it raises one that does not say so itself.
        needs: parts without which it would only say again what is wrong with them.
    """

    part: str
    look: Callable[[Settings], Iterator[Finding]]
    advice: str = ""
    needs: tuple[str, ...] = ()


def ok(part: str, found: str) -> Finding:
    """All is well."""
    return Finding(part, Verdict.OK, found)


def note(part: str, found: str, advice: str) -> Finding:
    """Something is worth knowing."""
    return Finding(part, Verdict.NOTE, found, advice)


def wrong(part: str, found: str, advice: str) -> Finding:
    """Something does not work."""
    return Finding(part, Verdict.WRONG, found, advice)


def run_checks(
    checks: Sequence[Check], settings: Settings, *, patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[Finding]:
    """Run checks one after another and give what they find as they find it.

    Args:
        checks: in the order of the report.
        settings: the installation.
        patience_seconds: how long one may take; a server that swallows requests must not hold up the others.
    """
    broken: set[str] = set()
    skipped = []
    for check in checks:
        if broken.intersection(check.needs):
            skipped.append(check.part)
            continue
        for finding in _run(check, settings, patience_seconds):
            yield finding
            if finding.verdict is Verdict.WRONG:
                broken.add(check.part)
    if skipped:
        yield note("others", f"not looked at, as they need what is wrong: {', '.join(skipped)}", "mend that first")


def _run(check: Check, settings: Settings, patience_seconds: float) -> Iterator[Finding]:
    found: list[Finding] = []
    thread = threading.Thread(target=_look, args=(check, settings, found), name=check.part, daemon=True)
    thread.start()
    thread.join(patience_seconds)
    yield from list(found)
    if thread.is_alive():
        yield wrong(check.part, f"no answer within {patience_seconds:g} s", "see whether its server still answers")


def _look(check: Check, settings: Settings, found: list[Finding]) -> None:
    try:
        found.extend(check.look(settings))
    except FreedaError as error:
        found.append(wrong(check.part, one_line(error), check.advice))
    except BaseException as error:  # noqa: BLE001 - engines in other languages raise what is no Exception
        found.append(
            wrong(check.part, f"{type(error).__name__}: {one_line(error)}", "report this as a mistake of freeda")
        )
