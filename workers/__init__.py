"""Celery workers: a home's broker, its one worker, and what clients need to talk to it.

Names are imported when they are first asked for: who reads a log does without the libraries of brokers and databases.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.workers.ability import running_ability, worker_fault
    from freeda_svc.workers.broker import broker_client, broker_process, check_broker, running_broker_url
    from freeda_svc.workers.broker_server import stop_broker
    from freeda_svc.workers.changes import watched_changes
    from freeda_svc.workers.locks import worker_is_running, worker_pid
    from freeda_svc.workers.messages import CeleryDispatcher
    from freeda_svc.workers.moves import perform_move
    from freeda_svc.workers.presence import able_queues
    from freeda_svc.workers.queries import ask_bank, ask_worker, bank_nouns, bank_revision, bank_stats, search_bank
    from freeda_svc.workers.resources import Resources
    from freeda_svc.workers.supervisor import background_stack, ready_worker, run_stack, run_worker
    from freeda_svc.workers.trial import try_parts
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
