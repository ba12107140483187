"""The bank: prototypes stored under their keys, and what is fetched from them.

The embedded engine is imported when it is first asked for: who only names banks does without.
"""

from typing import TYPE_CHECKING, Any

from freeda_svc.bank.banks import Banks, BankSummary
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval, class_prototypes
from freeda_svc.bank.manifest import Manifest, read_manifest
from freeda_svc.bank.names import DEFAULT_BANK, BankName
from freeda_svc.bank.points import point_id
from freeda_svc.bank.store import ALL, BankStats, Neighbours, Payload, PrototypeStore, Selection, Version

if TYPE_CHECKING:
    from freeda_svc.bank.embedded import EmbeddedBanks, EmbeddedStore

__all__ = [
    "PrototypeStore",
    "EmbeddedStore",
    "Neighbours",
    "Payload",
    "Selection",
    "ALL",
    "Version",
    "BankStats",
    "Banks",
    "EmbeddedBanks",
    "BankSummary",
    "BankName",
    "DEFAULT_BANK",
    "Manifest",
    "read_manifest",
    "point_id",
    "class_prototypes",
    "ClassPrototypes",
    "Retrieval",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whichever of the two it is
    if name in {"EmbeddedBanks", "EmbeddedStore"}:
        from freeda_svc.bank import embedded  # noqa: PLC0415 - see above

        return getattr(embedded, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
