"""Celery workers: a home's broker, its one worker, and what clients need to talk to it.

Celery itself is imported when it is needed, so commands that do without it start at once.
"""

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
