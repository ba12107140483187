"""The bank: prototypes stored under their keys, and what is fetched from them."""

from freeda_svc.bank.banks import Banks, BankSummary
from freeda_svc.bank.class_prototypes import class_prototypes
from freeda_svc.bank.embedded import EmbeddedBanks, EmbeddedStore
from freeda_svc.bank.manifest import Manifest, read_manifest
from freeda_svc.bank.names import DEFAULT_BANK, BankName
from freeda_svc.bank.points import point_id
from freeda_svc.bank.store import ALL, BankStats, Neighbours, Payload, PrototypeStore, Selection, Version

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
]
