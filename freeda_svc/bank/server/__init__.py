"""Banks on a Qdrant server: any number of processes and machines read and add at the same time."""

from freeda_svc.bank.server.banks import ServerBanks
from freeda_svc.bank.server.connection import Connection, connect
from freeda_svc.bank.server.store import ServerStore

__all__ = ["Connection", "connect", "ServerBanks", "ServerStore"]
