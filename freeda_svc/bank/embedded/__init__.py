"""Banks in folders of this machine, on Qdrant's own engine inside the process."""

from freeda_svc.bank.embedded.banks import EmbeddedBanks
from freeda_svc.bank.embedded.store import EmbeddedStore

__all__ = ["EmbeddedBanks", "EmbeddedStore"]
