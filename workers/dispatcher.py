"""Sending the messages of items."""

from collections.abc import Sequence

from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers.broker import broker_client, check_broker, running_broker_url
from freeda_svc.workers.messages import RUN_ITEM, send_messages


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
        with broker_client(url) as client:
            send_messages(client, RUN_ITEM, kind.value, ([item_id] for item_id in item_ids))
        return True
