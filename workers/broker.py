"""Asking a broker: the embedded one of a home, which listens at a socket in it, or one that has an address.

The embedded one's address follows from where its folder is, so there is nothing to note, to copy or to steal: a copied
home has a socket of its own, and only who may enter the folder gets to it (decision 18).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from freeda_svc.addresses import shown_address
from freeda_svc.errors import UnavailableError
from freeda_svc.file_locks import holder
from freeda_svc.settings import Settings
from freeda_svc.workers.short_paths import short_path

ANSWER_SECONDS = 2.0
CLIENT_SECONDS = 5.0
SOCKET_FILE = "socket"
LOCK_FILE = "lock"


def embedded_broker_url(settings: Settings) -> str:
    """Return the address of the home's embedded broker, whether it runs or not; its folder is there."""
    return f"unix://{quote(short_path(settings.broker_folder / SOCKET_FILE))}"


def embedded_broker_is_there(settings: Settings) -> bool:
    """Return whether the home has the socket of an embedded broker, which runs or was killed."""
    return (settings.broker_folder / SOCKET_FILE).is_socket()


def running_broker_url(settings: Settings) -> str | None:
    """Return the address of the home's embedded broker; None when it does not answer."""
    if not embedded_broker_is_there(settings):
        return None
    url = embedded_broker_url(settings)
    return url if answers(url) else None


def broker_lock(settings: Settings) -> Path:
    """Return what the home's embedded broker holds as long as it lives."""
    return settings.broker_folder / LOCK_FILE


def broker_process(settings: Settings) -> int | None:
    """Return the process of the home's embedded broker, whether it answers or not; None when there is none."""
    return holder(broker_lock(settings))


def answers(url: str) -> bool:
    """Return whether a broker answers at an address, and lets us in."""
    try:
        return ask(url)
    except (redis.RedisError, OSError, ValueError):
        return False


def ask(url: str) -> bool:
    """Ask a broker for a sign of life.

    Raises:
        RedisError, OSError: there is none, or not yet.
        ValueError: this is no address.
    """
    with redis.Redis.from_url(
        url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None
    ) as client:
        return bool(client.ping())


@contextmanager
def broker_client(url: str) -> Iterator["redis.Redis"]:
    """Give a client of a broker, for what is asked of it beside messages.

    Raises:
        UnavailableError: it does not answer, or with an error; its password is not shown.
    """
    try:
        with redis.Redis.from_url(url, socket_timeout=CLIENT_SECONDS, socket_connect_timeout=CLIENT_SECONDS) as client:
            yield client
    except redis.RedisError as error:
        raise UnavailableError(broker_trouble(url, error)) from error


@lru_cache(maxsize=4)
def kept_client(url: str) -> redis.Redis:
    """Return a client of a broker that keeps its connections, for processes that send again and again.

    Any thread may use it. A connection that the broker has closed meanwhile is opened again.
    """
    again = Retry(NoBackoff(), 1)
    return redis.Redis.from_url(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=again)


def broker_trouble(url: str, error: BaseException) -> str:
    """Say in one line that a broker is away, or that it is there and refuses; its password is not shown."""
    refuses = isinstance(error, redis.ResponseError | redis.exceptions.BusyLoadingError)
    return f"the broker {shown_address(url)} {'refuses' if refuses else 'does not answer'}: {error}"


def broker_address(settings: Settings) -> str:
    """Return the address of a broker that answers.

    Raises:
        UnavailableError: it does not, or the embedded one does not run.
    """
    if settings.embedded_broker:
        url = running_broker_url(settings)
        if url is None:
            raise UnavailableError(f"no worker serves {settings.home}: start one with `freeda up`")
        return url
    check_broker(settings.broker_url)
    return settings.broker_url


def check_broker(url: str) -> None:
    """See that a broker answers.

    Raises:
        UnavailableError: it does not; its password is not shown.
    """
    if not answers(url):
        raise UnavailableError(f"the broker {shown_address(url)} does not answer: start it, or correct broker_url")
