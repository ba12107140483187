"""The bank: prototypes stored under their keys, and what is fetched from them."""

from freeda_svc.bank.class_prototypes import class_prototypes
from freeda_svc.bank.embedded import EmbeddedStore
from freeda_svc.bank.manifest import Manifest, read_manifest
from freeda_svc.bank.store import BankStats, Neighbours, Payload, PrototypeStore, point_id

__all__ = [
    "PrototypeStore",
    "EmbeddedStore",
    "Neighbours",
    "Payload",
    "BankStats",
    "Manifest",
    "read_manifest",
    "point_id",
    "class_prototypes",
]
