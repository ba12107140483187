"""Celery workers: a home's broker, its one worker, and what clients need to talk to it.

Names are imported when they are first asked for: who reads a log does without the libraries of brokers and databases.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.broker import running_broker_url
    from workers.broker_server import stop_broker
    from workers.dispatcher import CeleryDispatcher
    from workers.locks import worker_is_running, worker_pid
    from workers.queries import ask_bank, bank_nouns, bank_stats, search_bank
    from workers.supervisor import background_stack, ready_worker, run_stack, run_worker

__all__ = [
    "run_stack",
    "run_worker",
    "background_stack",
    "worker_is_running",
    "worker_pid",
    "ready_worker",
    "CeleryDispatcher",
    "ask_bank",
    "bank_stats",
    "bank_nouns",
    "search_bank",
    "running_broker_url",
    "stop_broker",
]

_PLACES = {
    "workers.broker": ("running_broker_url",),
    "workers.broker_server": ("stop_broker",),
    "workers.dispatcher": ("CeleryDispatcher",),
    "workers.locks": ("worker_is_running", "worker_pid"),
    "workers.queries": ("ask_bank", "bank_nouns", "bank_stats", "search_bank"),
    "workers.supervisor": ("background_stack", "ready_worker", "run_stack", "run_worker"),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
