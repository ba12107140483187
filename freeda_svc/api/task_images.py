"""The images of Label Studio's tasks: on its server, in its local files, or elsewhere on the network."""

import asyncio
import base64
import http
import json
import mimetypes
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
from anyio import to_thread

from freeda_svc.api.outgoing import DEFAULT_PORTS, HostRule, answer_of, check_url
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.host_lists import ListedHost, normal_host
from freeda_svc.input_files import InputRules, open_input
from freeda_svc.settings import Settings

AT_ONCE = 4
SECONDS = 30.0
"""Within which a server has to go on with its answer."""
WHOLE_SECONDS = 80.0
"""For one image with its redirects; Label Studio itself waits for 100 (``ML_TIMEOUT_PREDICT``)."""
LARGEST_IMAGE = 256 * 1024**2
"""Bytes."""
MOST_REDIRECTS = 3
LONGEST_ADDRESS = 4000
IMAGE = "image"
LOCAL_FILES = "/data/local-files/"
LONGEST_TOKEN = 20_000
_LONGEST_STEM = 100
_DENIED = frozenset((http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN))


class TaskImages:
    """Fetches the images of tasks into a folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Prepare it.

        Args:
            settings: say where Label Studio is, and what may be asked there.
            folder: of this request.
        """
        self._settings = settings
        self._folder = folder
        self._own = settings.label_studio_url.rstrip("/")
        self._own_rule = _rule_of(self._own)
        self._other_rule = HostRule.of("image_hosts", settings.image_hosts)
        self._header: dict[str, str] | None = None
        self._room = asyncio.Semaphore(AT_ONCE)
        self._lock = asyncio.Lock()

    async def fetch(self, images: Sequence[tuple[int | str | None, object]]) -> list[Path | FreedaError]:
        """Fetch images.

        Args:
            images: of each the id of its task and its address there.

        Returns:
            In their order, where each lies, or why it cannot be had.
        """
        return list(await asyncio.gather(*(self._fetch(number, *image) for number, image in enumerate(images))))

    async def _fetch(self, number: int, task: int | str | None, address: object) -> Path | FreedaError:
        async with self._room:
            try:
                async with asyncio.timeout(WHOLE_SECONDS):
                    return await self._take(number, task, _checked(address))
            except TimeoutError:
                return UnavailableError(
                    f"task {task}: the host of the {IMAGE} has not sent it within {WHOLE_SECONDS:g} seconds"
                )
            except (InputError, UnavailableError) as error:
                return type(error)(f"task {task}: {error}")

    async def _take(self, number: int, task: int | str | None, address: str) -> Path:
        if address.startswith(LOCAL_FILES) and self._settings.label_studio_files:
            return await to_thread.run_sync(self._copy_local, number, address)
        url = self._url(task, address)
        for _ in range(MOST_REDIRECTS + 1):
            is_own = self._is_own(url)
            rule = self._own_rule if is_own else self._other_rule
            headers = await self._authorization() if is_own else {}
            async with answer_of(IMAGE, check_url(IMAGE, url, rule), rule, headers=headers, seconds=SECONDS) as answer:
                if not answer.has_redirect_location:
                    _check_answer(answer)
                    return await self._keep(answer, number, address)
                url = str(httpx.URL(url).join(answer.headers["location"]))  # of the request, not the address it went to
        raise InputError(f"the {IMAGE} is redirected too often")

    def _url(self, task: int | str | None, address: str) -> str:
        """Where an image is asked for.

        Raises:
            InputError: nobody says where.
        """
        parts = urlsplit(address)
        if parts.scheme in {"http", "https"}:
            return address
        if not self._own:
            raise InputError(
                f"the {IMAGE} {address[:80]} is on the Label Studio server: set label_studio_url and label_studio_token"
            )
        if address.startswith("/") and not address.startswith("//"):
            return f"{self._own}{address}"
        if parts.scheme and parts.netloc and task is not None:  # in one of Label Studio's storages
            encoded = base64.urlsafe_b64encode(address.encode()).decode()
            return f"{self._own}/tasks/{quote(str(task), safe='')}/resolve/?fileuri={encoded}"
        raise InputError(f"the image {address[:80]!r} is no address that can be fetched")

    def _is_own(self, url: str) -> bool:
        try:
            return bool(self._own) and _origin(url) == _origin(self._own)
        except httpx.InvalidURL:
            return False

    async def _authorization(self) -> dict[str, str]:
        """Return the header that shows Label Studio's token; a personal access one is exchanged for one of minutes."""
        token = self._settings.label_studio_token
        async with self._lock:
            if self._header is None and token.count(".") == 2:  # noqa: PLR2004 - the parts of a JSON web token
                self._header = {"Authorization": f"Bearer {await self._access_token(token)}"}
            elif self._header is None:
                self._header = {"Authorization": f"Token {token}"} if token else {}
        return self._header

    async def _access_token(self, refresh: str) -> str:
        about = "token of Label Studio"
        target = check_url(about, f"{self._own}/api/token/refresh", self._own_rule)
        content = json.dumps({"refresh": refresh}).encode()
        headers = {"Content-Type": "application/json"}
        async with answer_of(
            about, target, self._own_rule, method="POST", headers=headers, content=content, seconds=SECONDS
        ) as answer:
            if not answer.is_success:
                raise UnavailableError(f"Label Studio does not take label_studio_token ({answer.status_code})")
            try:
                return str(json.loads(await _short_body(answer))["access"])
            except (KeyError, TypeError, ValueError) as error:
                raise UnavailableError("Label Studio gave no access token for label_studio_token") from error

    async def _keep(self, answer: httpx.Response, number: int, address: str) -> Path:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        place = self._place(number, address, mimetypes.guess_extension(kind) or "")
        received = 0
        with place.open("wb") as file:
            async for chunk in answer.aiter_bytes():
                received += len(chunk)
                if received > LARGEST_IMAGE:
                    raise InputError(f"the image has more than {LARGEST_IMAGE:,} bytes")
                file.write(chunk)
        return place

    def _copy_local(self, number: int, address: str) -> Path:
        named = parse_qs(urlsplit(address).query).get("d", [""])[0]
        root = Path(self._settings.label_studio_files)
        try:
            with open_input(root / named.lstrip("/"), InputRules((root,))) as source:
                place = self._place(number, named, "")
                with place.open("wb") as file:
                    shutil.copyfileobj(source, file)
        except InputError as error:
            raise InputError(f"the image {named[:80]!r} is not there, or outside of the local files") from error
        return place

    def _place(self, number: int, address: str, ending: str) -> Path:
        """Return where an image is kept: in a folder of its own, so that it keeps its name."""
        parts = urlsplit(address)
        last = PurePosixPath(unquote(parse_qs(parts.query).get("d", [parts.path])[0])).name
        stem = "".join(letter if letter.isprintable() and letter not in '/\\:"' else "_" for letter in last)
        name = stem[-_LONGEST_STEM:].lstrip(".") or "image"
        folder = self._folder / str(number)
        folder.mkdir()
        return folder / (name if "." in name else f"{name}{ending}")


def _checked(address: object) -> str:
    if not isinstance(address, str) or not address.strip() or len(address) > LONGEST_ADDRESS:
        raise InputError("its data hold no address of an image, or a very long one")
    return address.strip()


def _origin(url: str) -> tuple[str, str, int]:
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


def _rule_of(own: str) -> HostRule:
    """Label Studio's own server may have a private address: an operator has named it."""
    if not own:
        return HostRule("label_studio_url", ())
    _, host, port = _origin(own)
    return HostRule("label_studio_url", (ListedHost(normal_host(f"[{host}]" if ":" in host else host) or host, port),))


def _check_answer(answer: httpx.Response) -> None:
    """Refuse what is no file.

    Raises:
        InputError: the server refuses to give it, or gives a page.
        UnavailableError: the server fails.
    """
    if answer.status_code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise UnavailableError(f"the host of the {IMAGE} fails ({answer.status_code})")
    if answer.status_code in _DENIED:
        raise InputError(f"the host of the {IMAGE} wants another token ({answer.status_code}): see label_studio_token")
    if answer.status_code != http.HTTPStatus.OK:
        raise InputError(f"the host of the {IMAGE} does not have it ({answer.status_code})")


async def _short_body(answer: httpx.Response) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LONGEST_TOKEN:
            raise UnavailableError("Label Studio gave no access token for label_studio_token")
    return body
