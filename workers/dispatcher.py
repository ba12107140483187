"""Sending the messages of items through Celery."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings
from workers.broker import broker_trouble, running_broker_url

if TYPE_CHECKING:
    from celery import Celery


class CeleryDispatcher:
    """Puts item ids into the queues of an installation; a ``freeda_svc.jobs.Dispatcher``.

    An embedded broker that does not run is no mistake: the items are in the database, and the worker that starts it
    finds them there. A broker of one's own that does not answer is one.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check(self) -> None:
        """See that messages can be kept, now or later.

        Raises:
            UnavailableError: ``broker_url`` names a broker that does not answer.
        """
        if not self._settings.embedded_broker:
            from workers.app import check_broker  # noqa: PLC0415 - the embedded broker can be missed without Celery

            check_broker(self._settings.broker_url)

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        """Put one message for each item into the queue of its kind.

        Returns:
            False when the embedded broker does not run.

        Raises:
            UnavailableError: the broker does not answer.
        """
        url = running_broker_url(self._settings) if self._settings.embedded_broker else self._settings.broker_url
        if url is None:
            return False
        send_items(_client_app(self._settings, url), kind, item_ids)
        return True


def send_items(app: "Celery", kind: JobKind, item_ids: Sequence[int]) -> None:
    """Put one message for each item into the queue of its kind.

    Raises:
        UnavailableError: the broker does not answer, or with an error.
    """
    from kombu.exceptions import BatchPublishError, OperationalError  # noqa: PLC0415 - see CeleryDispatcher.check

    from workers.app import RUN_ITEM  # noqa: PLC0415 - as above

    try:
        # Together in few round trips.
        with app.producer_pool.acquire(block=True) as producer, producer.batch():
            for item_id in item_ids:
                app.send_task(RUN_ITEM, args=[item_id], queue=kind.value, producer=producer, ignore_result=True)
    except (BatchPublishError, OperationalError, *app.connection_for_write().connection_errors) as error:
        # kombu's own errors only say that something went wrong, and when.
        raise UnavailableError(broker_trouble(app.conf.broker_url, error.__cause__ or error)) from error


@lru_cache(maxsize=8)
def _client_app(settings: Settings, url: str) -> "Celery":
    from workers.app import make_app  # noqa: PLC0415 - see CeleryDispatcher.check

    return make_app(settings, url)
