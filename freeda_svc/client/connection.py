"""Asking a server: every fault is one sentence, and what can be asked again is, for a while."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from freeda_svc.addresses import check_access_key, check_server_address
from freeda_svc.client.answers import PASSING, check_answer, check_no_page, values_of
from freeda_svc.errors import FreedaError, InputError, UnavailableError, one_line
from freeda_svc.whole_files import placed_whole

CONNECT_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
Body = Callable[[], Mapping[str, Any]]
"""Returns what httpx sends as the body: files are read from their beginning at each try."""


class Connection:
    """One server, asked from any number of threads.

    Attributes:
        address: of the server.
        timeout: seconds within which an answer has to begin.
        patience: for so many seconds after a first fault that may pass the same is asked again.
    """

    def __init__(
        self,
        address: str,
        key: str | None = None,
        *,
        timeout: float = 60.0,
        patience: float = 20.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            address: of the server, such as ``http://127.0.0.1:8470``; may end in a path.
            key: that the server asks for; it is sent to this address only.
            timeout: seconds within which an answer has to begin.
            patience: for so many seconds after a first fault that may pass the same is asked again.
            transport: what carries requests, in the place of a network.

        Raises:
            InputError: address or key cannot be ones.
        """
        if not isinstance(address, str) or not isinstance(key, str | None):
            raise InputError("the address of a server and its key are texts, such as Client('http://127.0.0.1:8470')")
        self.address = check_server_address(address)
        self.timeout = timeout
        self.patience = patience
        self._answered = False
        secret = check_access_key(key or "")
        try:
            self._http = httpx.Client(
                headers={"Accept": "application/json", "User-Agent": "freeda-svc", **_authorization(secret)},
                timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
                follow_redirects=False,  # another address is not to see the key
                transport=transport,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            )
        except (ValueError, OSError) as error:  # a proxy, or certificates, that the environment names
            raise InputError(f"the environment's proxy or certificates cannot be used: {one_line(error)}") from error

    def close(self) -> None:
        """Let all connections go."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Body = dict,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        seconds: float | None = None,
    ) -> Any:  # noqa: ANN401 - what JSON holds
        """Return the plain values that the server answers with.

        Args:
            method: of HTTP.
            path: below the address.
            params: of the query; None among them are left out.
            body: what is sent.
            headers: beside the usual ones.
            repeatable: whether asking twice does no more than once; only GET does where nothing is said.
            seconds: in the place of ``timeout``.

        Raises:
            FreedaError: as ``check_answer`` says.
            UnavailableError: the server does not answer.
        """
        again = method == "GET" if repeatable is None else repeatable
        options = {"params": _given(params), "headers": headers, **({} if seconds is None else self._within(seconds))}

        def once() -> Any:  # noqa: ANN401 - as above
            with self._faults(seconds):
                response = self._http.request(method, self._url(path), **options, **body())
            self._answered = True
            _check_passing(response, self.address)
            return values_of(response, self.address)

        return self._patiently(once, repeatable=again)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Iterator[httpx.Response]:
        """Open an answer that is read piece by piece; faults are raised as in ``ask``, also while it is read."""
        try:
            with ExitStack() as opened:
                yield self._patiently(
                    lambda: opened.enter_context(self._opened(path, params, headers, seconds)), repeatable=True
                )
        except _PassingError as fault:  # while it was read
            raise fault.reason from fault.__cause__

    @contextmanager
    def _opened(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Iterator[httpx.Response]:
        options = {} if seconds is None else self._within(seconds)
        with (
            self._faults(seconds),
            self._http.stream("GET", self._url(path), params=_given(params), headers=headers, **options) as response,
        ):
            self._answered = True
            if not response.is_success:
                response.read()
                _check_passing(response, self.address)
                check_answer(response, self.address)
            yield response

    def read(self, path: str, *, params: Mapping[str, Any] | None = None) -> bytes:
        """Return the content of a small file of the server; one that breaks off is begun again.

        Args:
            path: below the address.
            params: of the query.

        Raises:
            FreedaError: as ``check_answer`` says.
            UnavailableError: the server does not answer.
        """

        def once() -> bytes:
            with self._opened(path, params) as answer:
                check_no_page(answer, path, self.address)
                return answer.read()

        return cast("bytes", self._patiently(once, repeatable=True))

    def download(self, path: str, target: Path, *, params: Mapping[str, Any] | None = None) -> None:
        """Write what the server has at a path to a file, whole; a download that breaks off is begun again.

        Args:
            path: below the address.
            target: the file, in a folder that is there.
            params: of the query.

        Raises:
            FreedaError: as ``check_answer`` says.
            UnavailableError: the server does not answer, or the file cannot be written.
        """

        def once() -> None:
            with placed_whole(target) as aside, aside.open("wb") as file, self._opened(path, params) as answer:
                check_no_page(answer, path, self.address)
                for chunk in answer.iter_bytes():
                    file.write(chunk)

        try:
            self._patiently(once, repeatable=True)
        except OSError as error:
            raise UnavailableError(f"{target} cannot be written: {error.strerror}") from error

    def _url(self, path: str) -> str:
        return f"{self.address}{path}"

    def _within(self, seconds: float) -> dict[str, Any]:
        return {"timeout": httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))}

    def _patiently(self, once: Callable[[], Any], *, repeatable: bool) -> Any:  # noqa: ANN401 - what once returns
        """Try until it works, fails for good, or patience is at its end."""
        failed_at: float | None = None
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return once()
            except _PassingError as fault:
                now = time.monotonic()
                failed_at = now if failed_at is None else failed_at
                rest = pause * random.uniform(0.5, 1.0) if fault.pause is None else fault.pause  # noqa: S311 - no secret
                if not (repeatable or fault.unsent) or now + rest - failed_at > self.patience:
                    raise fault.reason from fault.__cause__
                time.sleep(rest)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    @contextmanager
    def _faults(self, seconds: float | None) -> Iterator[None]:
        """Turn what httpx raises into the errors of this package, those that may pass into ``_PassingError``."""
        server = f"the server at {self.address}"
        if self._http.is_closed:
            raise InputError("this client is closed; make another one")
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            reason = "no answer" if isinstance(error, httpx.ConnectTimeout) else one_line(error)
            unreachable = UnavailableError(
                f"{self.address} cannot be reached ({reason}): see that the address is right and that `freeda up` or "
                "`freeda serve` runs there"
            )
            if not self._answered:  # nobody was ever there
                raise unreachable from error
            raise _PassingError(unreachable, unsent=True) from error
        except httpx.TimeoutException as error:
            within = self.timeout if seconds is None else seconds
            late = UnavailableError(f"{server} did not answer within {within:g} s; ask again later, or wait longer")
            raise _PassingError(late) from error
        except httpx.LocalProtocolError as error:
            raise InputError(
                f"the request to {self.address} could not be sent as it was begun ({one_line(error)}): a file may have "
                "changed meanwhile; ask again"
            ) from error
        except (httpx.TransportError, httpx.DecodingError, httpx.StreamError) as error:
            broken = UnavailableError(f"{server} broke off before it had answered ({one_line(error)}); ask again")
            raise _PassingError(broken) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise InputError(f"{self.address} cannot be asked for that: {one_line(error)}") from error


class _PassingError(Exception):
    """A fault that may pass."""

    def __init__(self, reason: FreedaError, *, pause: float | None = None, unsent: bool = False) -> None:
        """Say what it is.

        Args:
            reason: the error if it does not pass.
            pause: after so many seconds the server wants to be asked again; None where it does not say.
            unsent: whether the server has seen nothing of the request.
        """
        super().__init__(str(reason))
        self.reason = reason
        self.pause = pause
        self.unsent = unsent


def _check_passing(response: httpx.Response, address: str) -> None:
    """Raise what may pass; the body has been read."""
    if response.status_code not in PASSING:
        return
    try:
        check_answer(response, address)
    except FreedaError as error:
        raise _PassingError(error, pause=_retry_after(response)) from None


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds of Retry-After; None where it is not given so."""
    text = response.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None  # noqa: PLR2004 - days


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters of a query that are given, as texts."""
    found: dict[str, Any] = {}
    for name, value in (params or {}).items():
        if value is None or (not isinstance(value, bool | int | float) and not value):
            continue
        found[name] = str(value).lower() if isinstance(value, bool) else value
    return found
