"""Images that a request names by URL: fetched before anything is accepted, from hosts that ``image_hosts`` lists."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import httpx

from freeda_svc.api.multipart import UploadedFile
from freeda_svc.api.outgoing import HostRule, Target, answer_of, check_url
from freeda_svc.api.problems import ProblemError
from freeda_svc.api.uploads import Upload
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings

MOST_REDIRECTS = 3
MOST_BYTES = 128 << 20
"""Of one image; of all of a request no more than of a request's body."""
SECONDS = 30.0
"""For one image with its redirects."""
AT_ONCE = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_SERVER_ERRORS = 500


def fetch_image(settings: Settings, url: str, to: Path, about: str = "image URL") -> None:
    """Fetch one image into a file that is not there yet; whether it is an image is still to be seen.

    Call it in a thread.

    Args:
        settings: the installation.
        url: an http or https address on a host that is listed.
        to: the file.
        about: what the address is called in errors.

    Raises:
        InputError: the address, a redirect or what it answers is not usable.
        UnavailableError: its host does not answer, or the file cannot be written.
    """
    target = _checked(settings, about, url)

    async def fetch() -> None:
        await _Fetcher(settings, _Budget(_most(settings)), SECONDS).fetch(about, target, to)

    asyncio.run(fetch())


def fetch_images(settings: Settings, urls: Sequence[str], folder: Path, *, seconds: float = SECONDS) -> list[Path]:
    """Fetch images into a folder, several at once; all of them, or an error says which one failed.

    Call it in a thread.

    Args:
        settings: the installation.
        urls: http or https addresses on hosts that are listed.
        folder: gets a folder for each image, numbered from 0, in which the file is called as in the URL.
        seconds: for each of them.

    Returns:
        The files, in the order of the addresses.

    Raises:
        InputError: an address, a redirect or what it answers is not usable.
        UnavailableError: a host does not answer, or a file cannot be written.
    """
    named = [(f"image URL {number}", url) for number, url in enumerate(urls, start=1)]
    targets = [(about, _checked(settings, about, url)) for about, url in named]
    files = [folder / str(number) / url_name(target.url) for number, (_, target) in enumerate(targets)]

    async def fetch() -> None:
        await _Fetcher(settings, _Budget(_most(settings, len(urls))), seconds).fetch_all(targets, files)

    asyncio.run(fetch())
    return files


def with_fetched(settings: Settings, upload: Upload, urls: Sequence[str], most: int, field: str = "") -> Upload:
    """Fetch images and put them behind those that came with the request.

    Args:
        settings: the installation.
        upload: the request's files.
        urls: http or https addresses on hosts that are listed.
        most: images in a request.
        field: of the form, to which they are added.

    Raises:
        ProblemError: there are too many.
        InputError: one of them cannot be fetched.
        UnavailableError: a host does not answer.
    """
    if not urls:
        return upload
    if len(upload.files) + len(urls) > most:
        raise ProblemError(413, f"more than {most:,} images; name them in several requests")
    files = fetch_images(settings, urls, upload.folder / "fetched")
    return replace(upload, files=[*upload.files, *(UploadedFile(field, file.name, "", file) for file in files)])


def url_name(url: httpx.URL | str) -> str:
    """Return what an image is called whose address is given: the last part of the path.

    >>> url_name("https://example.org/photos/a%20cat.png?size=big")
    'a cat.png'
    """
    last = unquote(httpx.URL(url).path.rpartition("/")[2])
    kept = "".join(character for character in last if character.isprintable() and character not in "/\\:")
    return kept[:100].strip(". ") or "image"


class _Budget:
    """How many bytes may still be fetched."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def spend(self, about: str, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise InputError(f"with the {about} the images have more than {self.most:,} bytes; name fewer at once")


def _rule(settings: Settings) -> HostRule:
    return HostRule.of("image_hosts", settings.image_hosts)


def _most(settings: Settings, images: int = 1) -> int:
    return min(settings.api_max_body_bytes, images * MOST_BYTES)


def _checked(settings: Settings, about: str, url: str) -> Target:
    rule = _rule(settings)
    if not rule.hosts:
        raise InputError("images are not fetched by URL here: the setting image_hosts lists no host")
    return check_url(about, url, rule)


class _Fetcher:
    """Fetches the images of one request."""

    def __init__(self, settings: Settings, budget: _Budget, seconds: float) -> None:
        self._rule = _rule(settings)
        self._budget = budget
        self._seconds = seconds
        self._free = asyncio.Semaphore(AT_ONCE)

    async def fetch_all(self, targets: Sequence[tuple[str, Target]], files: Sequence[Path]) -> None:
        """Fetch all; the first failure ends the others."""
        fetching = [asyncio.create_task(self.fetch(*given, file)) for given, file in zip(targets, files, strict=True)]
        try:
            await asyncio.gather(*fetching)
        finally:
            for task in fetching:
                task.cancel()
            await asyncio.gather(*fetching, return_exceptions=True)

    async def fetch(self, about: str, target: Target, to: Path) -> None:
        """Fetch one, with its redirects."""
        try:
            async with self._free, asyncio.timeout(self._seconds):
                for _ in range(MOST_REDIRECTS + 1):
                    elsewhere = await self._fetch_once(about, target, to)
                    if elsewhere is None:
                        return
                    target = elsewhere
        except TimeoutError as error:
            sentence = f"the host of the {about} has not sent it within {self._seconds:g} seconds"
            raise UnavailableError(sentence) from error
        raise InputError(f"the {about} leads from one address to the next more than {MOST_REDIRECTS} times")

    async def _fetch_once(self, about: str, target: Target, to: Path) -> Target | None:
        """Fetch what is at an address; returns the next address where it is elsewhere."""
        headers = {"Accept": "image/*,*/*;q=0.5"}
        async with answer_of(about, target, self._rule, headers=headers, seconds=self._seconds) as answer:
            if answer.status_code in _REDIRECTS:
                return _next(about, target, answer.headers.get("location", ""), self._rule)
            if answer.status_code >= _SERVER_ERRORS:
                raise UnavailableError(f"the host of the {about} answered with status {answer.status_code}")
            if answer.status_code != _OK:
                raise InputError(
                    f"the host of the {about} answered with status {answer.status_code}; expected an image"
                )
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise InputError(f"the host of the {about} sends it compressed, which is not taken")
            await _keep(about, answer, to, self._budget)
        return None


def _next(about: str, target: Target, location: str, rule: HostRule) -> Target:
    redirected = f"{about}, redirected,"
    try:
        url = str(target.url.join(location))
    except (httpx.InvalidURL, ValueError):
        raise InputError(f"the {about} is redirected to no address") from None
    elsewhere = check_url(redirected, url, rule)
    if target.url.scheme == "https" and elsewhere.url.scheme != "https":
        raise InputError(f"the {about} is redirected from https to http, which is not followed")
    return elsewhere


async def _keep(about: str, answer: httpx.Response, to: Path, budget: _Budget) -> None:
    declared = answer.headers.get("content-length", "")
    too_large = InputError(f"the {about} has more than {counted(MOST_BYTES, 'byte')}; give a smaller image")
    if declared.isdecimal() and int(declared) > MOST_BYTES:
        raise too_large
    kept = 0
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with to.open("xb") as file:
            async for chunk in answer.aiter_raw():
                kept += len(chunk)
                if kept > MOST_BYTES:
                    raise too_large
                budget.spend(about, len(chunk))
                file.write(chunk)
    except OSError as error:
        raise UnavailableError(f"the {about} cannot be kept: {error.strerror}") from error
