"""The bank: prototypes stored under their keys, and what is fetched from them."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.bank.banks import DEFAULT_BANK, BankName, Banks, BankSummary
    from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval
    from freeda_svc.bank.manifest import Manifest, read_manifest
    from freeda_svc.bank.points import point_id
    from freeda_svc.bank.qdrant.embedded_banks import EmbeddedBanks
    from freeda_svc.bank.qdrant.opening import make_or_open_folder, open_folder
    from freeda_svc.bank.records import ALL, Approximate, BankStats, Neighbours, Payload, Revision, Selection
    from freeda_svc.bank.store import PrototypeStore
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
