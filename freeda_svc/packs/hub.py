"""The model hub: listing a repository's files and downloading them, resuming where a connection broke.

huggingface_hub's own download starts a file again when it was cut off. These files have gigabytes, so theirs are its
addresses, identification and settings (``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``, proxies), and the loop here.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from freeda_svc.errors import NotFoundError, UnavailableError, one_line

PAUSES_SECONDS = (1.0, 3.0, 9.0)
"""Before a connection that broke without bringing anything is tried again."""

_HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]  # of whichever HTTP library huggingface_hub uses
_TIMEOUT_SECONDS = 30.0
_PARTIAL_CONTENT = 206
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_OBJECT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubFile:
    """One file of a repository at one commit.

    Attributes:
        repository: ``owner/name``.
        revision: a commit.
        path: in the repository.
        size: in bytes.
        checksum: as the hub knows it: sha256 of a large file, git's object name of a small one; "" when it says none.
    """

    repository: str
    revision: str
    path: str
    size: int
    checksum: str


def find_revision(repository: str, revision: str) -> str:
    """Return the commit that a branch, tag or commit names now; the main branch when ``revision`` is empty.

    Raises:
        NotFoundError: there is no such repository or revision.
        UnavailableError: the hub does not answer, or does not allow it.
    """
    with _in_one_line(repository):
        commit = (
            HfApi(endpoint=_endpoint()).model_info(repository, revision=revision or None, timeout=_TIMEOUT_SECONDS).sha
        )
    if not commit:
        raise UnavailableError(f"the hub does not say which commit of {repository} it holds; try again later")
    return str(commit)


def find_file(repository: str, revision: str, path: str) -> HubFile:
    """Ask the hub about a file.

    Raises:
        NotFoundError: there is no such file.
        UnavailableError: the hub does not answer, or does not allow it.
    """
    with _in_one_line(repository):
        found = get_hf_file_metadata(_address(repository, revision, path), timeout=_TIMEOUT_SECONDS)
    if found.size is None:
        raise UnavailableError(f"the hub does not say how long {path} of {repository} is; try again later")
    return HubFile(repository, revision, path, found.size, found.etag or "")


def is_unchanged(file: HubFile, place: Path) -> bool:
    """Return whether what lies at a place is the whole file, by its size and checksum."""
    if not place.is_file() or place.stat().st_size != file.size:
        return False
    if _SHA256.fullmatch(file.checksum):
        with place.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.checksum
    if _GIT_OBJECT.fullmatch(file.checksum):
        named = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        named.update(place.read_bytes())
        return named.hexdigest() == file.checksum
    return True


def download(file: HubFile, place: Path) -> Iterator[int]:
    """Bring a file here; it appears at ``place`` whole and checked, or not at all.

    What was brought before a connection broke, or before the command was stopped, is kept beside and continued.

    Yields:
        Bytes of it that are here, again and again, not below what is true and ``file.size`` at last.

    Raises:
        UnavailableError: the connection broke again and again, or the download does not have the announced checksum.
        OSError: it cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.{file.checksum[:16]}.part")
    pauses = iter(PAUSES_SECONDS)
    while True:
        before = partial.stat().st_size if partial.is_file() else 0
        try:
            with _in_one_line(file.repository):
                yield from _continue(file, partial)
            break
        except UnavailableError:
            if partial.is_file() and partial.stat().st_size > before:
                pauses = iter(PAUSES_SECONDS)
            pause = next(pauses, None)
            if pause is None:
                raise
            time.sleep(pause)
    if not is_unchanged(file, partial):
        partial.unlink()
        raise UnavailableError(
            f"{file.path} of {file.repository} has another checksum than the hub announced; try again"
        )
    partial.replace(place)


def _continue(file: HubFile, partial: Path) -> Iterator[int]:
    """Append to a partial file what it lacks; start again where that is not possible."""
    here = partial.stat().st_size if partial.is_file() else 0
    if here == file.size and partial.is_file():
        yield here
        return
    if here > file.size:
        partial.unlink()
        here = 0
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    address = _address(file.repository, file.revision, file.path)
    with get_session().stream(
        "GET", address, headers=headers, follow_redirects=True, timeout=_TIMEOUT_SECONDS
    ) as response:
        hf_raise_for_status(response)
        if response.status_code != _PARTIAL_CONTENT:
            here = 0
        with partial.open("ab" if here else "wb") as writing:
            for chunk in response.iter_bytes():
                writing.write(chunk)
                here += len(chunk)
                yield here
    if here != file.size:
        raise UnavailableError(f"{file.path} of {file.repository} ended after {here} of {file.size} bytes; try again")


def _endpoint() -> str | None:
    """Return the hub's address where it is another than usual; huggingface_hub itself reads it at its import only."""
    return os.environ.get("HF_ENDPOINT") or None


def _address(repository: str, revision: str, path: str) -> str:
    return str(hf_hub_url(repository, path, revision=revision, endpoint=_endpoint()))


@contextmanager
def _in_one_line(repository: str) -> Iterator[None]:
    """Turn what the hub and the way to it raise into one line that names the repository."""
    try:
        yield
    except GatedRepoError as error:
        raise UnavailableError(
            f"{repository} is given only to who accepted its terms: accept them on the hub and set HF_TOKEN"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError, HFValidationError) as error:
        raise NotFoundError(
            f"the hub has no such thing as asked for in {repository}: {one_line(error)[:200]}"
        ) from error
    except OfflineModeIsEnabled as error:
        raise UnavailableError(f"{repository} cannot be fetched: HF_HUB_OFFLINE is set; unset it to fetch") from error
    except (_HTTP_ERROR, ConnectionError) as error:
        raise UnavailableError(
            f"{repository} cannot be fetched: {one_line(error)[:200]}; what was downloaded is kept, so try again"
        ) from error
