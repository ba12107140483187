"""Celery workers: a home's broker, its one worker, and what clients need to talk to it.

Names are imported when they are first asked for: who reads a log does without the libraries of brokers and databases.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.workers.ability import running_ability, worker_fault
    from freeda_svc.workers.broker import broker_client, broker_process, check_broker, running_broker_url
    from freeda_svc.workers.broker_server import stop_broker
    from freeda_svc.workers.changes import watched_changes
    from freeda_svc.workers.locks import worker_is_running, worker_pid
    from freeda_svc.workers.messages import CeleryDispatcher
    from freeda_svc.workers.moves import perform_move
    from freeda_svc.workers.presence import able_queues
    from freeda_svc.workers.queries import ask_bank, ask_worker, bank_nouns, bank_stats, bank_version, search_bank
    from freeda_svc.workers.resources import Resources
    from freeda_svc.workers.supervisor import background_stack, ready_worker, run_stack, run_worker
    from freeda_svc.workers.trial import try_parts

__all__ = [
    "run_stack",
    "run_worker",
    "background_stack",
    "worker_is_running",
    "worker_pid",
    "ready_worker",
    "CeleryDispatcher",
    "ask_bank",
    "ask_worker",
    "able_queues",
    "bank_stats",
    "bank_nouns",
    "search_bank",
    "running_broker_url",
    "stop_broker",
    "worker_fault",
    "running_ability",
    "watched_changes",
    "broker_process",
    "check_broker",
    "broker_client",
    "perform_move",
    "Resources",
    "try_parts",
    "bank_version",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.workers.trial": ("try_parts",),
        "freeda_svc.workers.resources": ("Resources",),
        "freeda_svc.workers.moves": ("perform_move",),
        "freeda_svc.workers.changes": ("watched_changes",),
        "freeda_svc.workers.ability": ("running_ability", "worker_fault"),
        "freeda_svc.workers.broker": ("broker_client", "broker_process", "check_broker", "running_broker_url"),
        "freeda_svc.workers.broker_server": ("stop_broker",),
        "freeda_svc.workers.messages": ("CeleryDispatcher",),
        "freeda_svc.workers.locks": ("worker_is_running", "worker_pid"),
        "freeda_svc.workers.presence": ("able_queues",),
        "freeda_svc.workers.queries": (
            "ask_bank",
            "ask_worker",
            "bank_nouns",
            "bank_stats",
            "bank_version",
            "search_bank",
        ),
        "freeda_svc.workers.supervisor": ("background_stack", "ready_worker", "run_stack", "run_worker"),
    },
)
