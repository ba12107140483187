"""The bank: prototypes stored under their keys, and what is fetched from them.

The engines are imported when they are first asked for: who only names banks does without.
"""

from typing import TYPE_CHECKING

from freeda_svc.bank.banks import DEFAULT_BANK, BankName, Banks, BankSummary
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval
from freeda_svc.bank.manifest import Manifest, read_manifest
from freeda_svc.bank.points import point_id
from freeda_svc.bank.records import ALL, Approximate, BankStats, Neighbours, Payload, Selection, Version
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.bank.qdrant.embedded_banks import EmbeddedBanks
    from freeda_svc.bank.qdrant.opening import make_or_open_folder, open_folder

__all__ = [
    "PrototypeStore",
    "open_folder",
    "make_or_open_folder",
    "Neighbours",
    "Payload",
    "Selection",
    "ALL",
    "Approximate",
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
    "ClassPrototypes",
    "Retrieval",
]


__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.bank.qdrant.embedded_banks": ["EmbeddedBanks"],
        "freeda_svc.bank.qdrant.opening": ["make_or_open_folder", "open_folder"],
    },
)
