"""Where the server is, and its failures as errors a person can act on."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
from pydantic import ValidationError
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from freeda_svc.addresses import check_bank_address
from freeda_svc.counts import counted
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError, one_line

_LONGEST_REASON = 300


@dataclass(frozen=True)
class Connection:
    """What it takes to reach a server; `connect` makes it.

    Attributes:
        address: scheme, host, port and path of the server, without credentials.
        api_key: sent with every request; empty when the server wants none.
        timeout: how long one request may take, in seconds.
        request_bytes: how large a request with points becomes at most. A server takes 32 MiB of JSON by default.
        answer_bytes: how large an answer to a search becomes about; either side keeps all of it in memory.
    """

    address: str
    api_key: str = field(default="", repr=False)
    timeout: float = 60.0
    request_bytes: int = 16_000_000
    answer_bytes: int = 32_000_000

    def client(self) -> QdrantClient:
        """A new client; nothing is sent before it is used. It connects again by itself when the server was away."""
        return QdrantClient(
            url=self.address,
            # Given as a header, because the client warns about its own parameter on plain http, which is how
            # servers are reached inside a machine or a container network.
            headers={"api-key": self.api_key} if self.api_key else None,
            timeout=math.ceil(self.timeout),
            # The check runs in a thread of its own and tells its result as a Python warning.
            check_compatibility=False,
        )


def connect(url: str, api_key: str = "", timeout: float = 60.0) -> Connection:
    """Check a server's address; nothing is sent yet.

    Args:
        url: ``http://HOST:PORT`` or ``https://HOST:PORT``, with a path where a proxy wants one; port 6333 by default.
        api_key: the server's API key; empty when it wants none.
        timeout: how long one request may take, in seconds. Exact searches go through all keys of a bank.

    Raises:
        InputError: it is no such address, holds a user or password, or the timeout is not positive.
    """
    address = check_bank_address(url)
    if not timeout > 0:
        raise InputError(f"the timeout for the bank's server must be above 0 seconds, got {timeout}")
    return Connection(address, api_key, timeout)


@contextmanager
def asking(address: str, about: str) -> Iterator[None]:
    """Turn the client's exceptions into one line that names the server.

    Args:
        address: the server's, without credentials.
        about: what the requests are about, such as ``the bank animals@2``.

    Raises:
        NotFoundError: the server does not have it.
        InputError: the server refuses the request or the API key.
        UnavailableError: the server cannot be reached, is too busy, fails, or is no Qdrant server.
    """
    try:
        yield
    except UnexpectedResponse as error:
        raise _refused(address, about, error) from error
    except ResourceExhaustedResponse as error:
        raise UnavailableError(
            f"the bank's server {address} is overloaded ({_one_line(error)}): "
            f"try again in {counted(error.retry_after_s, 'second')}"
        ) from error
    except ResponseHandlingException as error:
        raise _unreachable(address, error.source) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _unreachable(address, error) from error


def _refused(address: str, about: str, error: UnexpectedResponse) -> FreedaError:
    status = error.status_code or 0
    reason = _reason(error)
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(f"the bank's server {address} does not have {about}: list its banks, or check the address")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return InputError(
            f"the bank's server {address} refuses access ({status}: {reason}): give an API key that allows it"
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }:
        return UnavailableError(
            f"the bank's server {address} failed over {about} ({status}: {reason}): see its log and try again"
        )
    return InputError(
        f"the bank's server {address} refuses what was asked of {about} ({status}: {reason}): "
        "check that it is a Qdrant server of version 1.16 or later"
    )


def _unreachable(address: str, source: Exception) -> UnavailableError:
    if isinstance(source, httpx.TimeoutException):
        return UnavailableError(
            f"the bank's server {address} did not answer in time: see whether it is overloaded, or allow it more time"
        )
    if isinstance(source, ValidationError | json.JSONDecodeError | UnicodeDecodeError):
        return UnavailableError(
            f"what answers at {address} is not a Qdrant server that this version knows: check the address"
        )
    return UnavailableError(
        f"the bank's server {address} cannot be reached ({_one_line(source)}): start it, or check the address"
    )


def _reason(error: UnexpectedResponse) -> str:
    try:
        content = json.loads(error.content)
        return _shortened(str(content["status"]["error"]))
    except (ValueError, KeyError, TypeError):
        return error.reason_phrase or "no reason given"


def _one_line(error: Exception) -> str:
    return _shortened(str(error)) or type(error).__name__


def _shortened(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 3] + "..."
