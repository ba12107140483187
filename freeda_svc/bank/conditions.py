"""What requests mean, as conditions on points."""

from freeda_svc.bank.engine import Where
from freeda_svc.bank.points import ADDED, APPEARANCE, MARKED
from freeda_svc.bank.records import Revision, Selection

# What `since` leaves out must be older than this where several machines add: their clocks may differ, and a batch is
# stamped a moment before it is seen.
_CLOCKS_DIFFER_BY = 5 * 60 * 1_000_000


def where_selected(selection: Selection) -> Where:
    """The prototypes of a selection."""
    fields = {name: getattr(selection, name) for name in ("noun", "job", "caption_id", "origin")}
    equal: dict[str, str | int] = {name: value for name, value in fields.items() if value is not None}
    if selection.outlier is not None:
        equal[MARKED] = int(selection.outlier)
    return Where(equal=equal)


def where_nearest(origins: frozenset[str] | None, since: Revision | None, *, shared: bool) -> Where:
    """Those whose keys are searched: of these origins, added after a revision; where it is shared, some older ones."""
    tolerance = _CLOCKS_DIFFER_BY if shared else 0
    return Where(
        one_of={} if origins is None else {"origin": origins},
        above={} if since is None else {ADDED: since.additions - tolerance},
    )


def where_appearing(origins: frozenset[str] | None) -> Where:
    """Those that have an appearance and are not marked, of these origins."""
    return Where(equal={MARKED: 0}, one_of={} if origins is None else {"origin": origins}, has=[APPEARANCE])
