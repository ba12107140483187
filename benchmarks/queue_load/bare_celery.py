"""``python -m benchmarks.queue_load.bare_celery``: Celery alone, configured as the service does, for a task of nothing.

No database, no claim, no lease, no log line: what is left is what any service on Celery and Redis pays.
"""

import os

from celery import Celery, shared_task

from freeda_svc.settings import load_settings
from freeda_svc.workers.app import make_app

NAME = "Celery with the same options and an empty task"
BROKER_URL = "BARE_BROKER_URL"
TASK = "benchmarks.nothing"
QUEUE = "ingest"


def bare_app(broker_url: str) -> Celery:
    """Configure Celery as the service does, but for its tasks."""
    app = make_app(load_settings(broker_url=broker_url), broker_url, [QUEUE])
    app.conf.include = [__spec__.name]
    return app


def _do_nothing(_number: int) -> None:
    pass


do_nothing = shared_task(name=TASK)(_do_nothing)

if __name__ == "__main__":
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    bare_app(os.environ[BROKER_URL]).worker_main(["worker", "--queues", QUEUE, "--loglevel", "WARNING", *alone])
