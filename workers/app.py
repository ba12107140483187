"""The Celery application of a worker, made from the settings."""

from collections.abc import Sequence

from celery import Celery
from kombu import Queue

from freeda_svc.errors import InputError
from freeda_svc.jobs import MOVES, JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers.broker import CLIENT_SECONDS
from freeda_svc.workers.messages import BANK_QUEUE, QUEUES

SETTINGS_KEY = "freeda_settings"
QUEUES_KEY = "freeda_queues"
SOFT_LIMIT_SHARE = 0.95
REDELIVERY_SPARE_SECONDS = 300.0
CHILD_START_SECONDS = 3600.0
"""The working process reads and tries its models first, and waits for what is not there."""


def check_queues(queues: Sequence[str]) -> tuple[str, ...]:
    """Return the queues that a worker is to serve, in the order in which it looks into them; all when none is named.

    Who answers questions about banks moves them, too.

    Raises:
        InputError: there is no such queue.
    """
    unknown = sorted(set(queues) - set(QUEUES))
    if unknown:
        raise InputError(f"there is no queue {unknown[0]!r}; the queues are {', '.join(QUEUES)}")
    wanted = {*(queues or QUEUES), *(MOVES if BANK_QUEUE in queues else ())}
    return tuple(queue for queue in QUEUES if queue in wanted)


def make_app(settings: Settings, broker_url: str, queues: Sequence[str] = QUEUES) -> Celery:
    """Configure Celery for an installation.

    Messages are JSON and carry item ids only. An item's message is acknowledged when the item has ended, and comes
    again when its worker was lost; claiming makes the second one harmless. Results are in the database, never
    in Celery.

    Args:
        settings: the installation; worker processes find it in the application again.
        broker_url: Redis address; with ``rediss`` the server's certificate is checked, with ``unix`` it is a socket.
        queues: what the worker serves.
    """
    app = Celery("freeda", include=["freeda_svc.workers.tasks"])
    app.conf.update(
        {
            SETTINGS_KEY: settings.model_dump(mode="json"),
            QUEUES_KEY: tuple(queues),
            "broker_url": broker_url,
            "broker_transport": "freeda_svc.workers.transport:Transport",
            "task_serializer": "json",
            "accept_content": ["json"],
            "task_ignore_result": True,
            "task_queues": [Queue(name) for name in QUEUES],
            "task_default_queue": JobKind.INGEST.value,
            "task_create_missing_queues": False,
            "task_acks_late": True,
            "task_acks_on_failure_or_timeout": True,
            "task_reject_on_worker_lost": True,
            "task_time_limit": settings.item_time_limit_seconds,
            "task_soft_time_limit": settings.item_time_limit_seconds * SOFT_LIMIT_SHARE,
            "task_publish_retry": False,
            "worker_prefetch_multiplier": 1,
            "worker_concurrency": 1,
            "worker_consumer": "freeda_svc.workers.celery_worker:PatientConsumer",
            "worker_pool": "prefork",
            "worker_pool_start_method": "spawn",  # CUDA cannot be used after a fork
            "worker_proc_alive_timeout": CHILD_START_SECONDS,
            "worker_cancel_long_running_tasks_on_connection_loss": False,
            "worker_enable_remote_control": False,
            "worker_redirect_stdouts": False,
            "worker_send_task_events": False,
            "broker_connection_retry_on_startup": False,  # checked before, and reported in one line
            "broker_connection_max_retries": None,  # later on, for as long as it takes
            "broker_connection_timeout": 4,
            "broker_transport_options": {
                "queue_order_strategy": "priority",
                "visibility_timeout": settings.item_time_limit_seconds + REDELIVERY_SPARE_SECONDS,
                "socket_connect_timeout": 4,
                "socket_timeout": CLIENT_SECONDS,  # longer than a pop waits; a frozen broker must not hold up stopping
                "socket_keepalive": True,
            },
        }
    )
    return app
