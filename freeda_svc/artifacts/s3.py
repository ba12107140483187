"""Artifacts as objects of a bucket, for machines that share no disk; copies are kept on each machine for a while.

A request stores a whole object or nothing, so an object is never seen in part. Artifacts do not change once they are
stored, apart from a few small ones that are asked for with `read` each time; what was fetched can be used again.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from freeda_svc.artifacts.local_copies import LocalCopies
from freeda_svc.artifacts.store import Artifacts, StorageUnavailableError, StoredFile
from freeda_svc.errors import InputError, NotFoundError, one_line
from freeda_svc.input_files import is_below

if TYPE_CHECKING:
    from s3fs import S3FileSystem

SCHEME = "s3://"
LAST = "summary.json"
"""The file of a result that is stored after its others."""
CONNECT_SECONDS, ANSWER_SECONDS = 5, 20
SLOWEST_UPLOAD = 100_000
"""Bytes a second; an upload that takes longer has failed."""
TRIES = 2
"""Of a request by each of the two libraries below, which try again by themselves."""
AT_ONCE = 8
"""So many objects are stored, fetched or removed at the same time."""
_PROBE = b"freeda writes, reads and removes this to see that it can"
_NO_BUCKET = "NoSuchBucket"


class S3Artifacts(Artifacts):
    """Artifacts in a bucket, and copies of some of them in a folder."""

    def __init__(self, place: str, folder: Path, *, endpoint: str = "", cache_bytes: int = 1 << 30) -> None:
        """Connect to nothing yet.

        Args:
            place: ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``.
            folder: for copies.
            endpoint: the server's address; empty means the one that ``AWS_ENDPOINT_URL`` names, or Amazon's.
            cache_bytes: how many bytes of copies are kept, more or less.
        """
        self.place = place
        self.folder = folder
        self._root = place.removeprefix(SCHEME)
        self._endpoint = endpoint
        self._copies = LocalCopies(folder, cache_bytes)

    @contextmanager
    def filling(self, *, replacing: bool = True) -> Iterator[Path]:
        """Give a temporary folder, and store at the end what is in it."""
        with ExitStack() as stack:
            try:
                root = stack.enter_context(self._copies.filling())
            except OSError as error:
                raise StorageUnavailableError(f"{self.folder} cannot be written: {error.strerror}") from error
            yield root
            self._store_all(root, replacing=replacing)

    def publish(self, name: str) -> None:
        """Store the copy."""
        self._store(self._copy(name), name)

    def local(self, name: str) -> Path:
        """Return the copy, fetched where it is missing."""
        path = self._copy(name)
        if not self._copies.has(path):
            with self._asking(name), self._copies.placing(path) as aside:
                # One request: several would mix contents if the object was replaced meanwhile.
                self._files.get_file(self._key(name), str(aside), max_concurrency=1)
        return path

    def bring(self, names: Iterable[str]) -> Path:
        """Fetch those that are missing, several at once."""
        wanted = [name for name in dict.fromkeys(names) if is_below(name)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for fetched in [pool.submit(self._bring, name) for name in wanted]:
                fetched.result()
        return self.folder

    def read(self, name: str) -> bytes:
        """Fetch the object."""
        with self._asking(name):
            content: bytes = self._files.cat_file(self._key(name), max_concurrency=1)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Store the object."""
        with self._asking(name):
            self._files.pipe_file(self._key(name), content, timeout=_upload_seconds(len(content)))

    def exists(self, name: str) -> bool:
        """Ask for the object's head."""
        return self._written(name) is not None

    def files(self, below: str) -> Iterator[StoredFile]:
        """List objects."""
        with self._asking(below):
            found = self._files.find(self._key(below), detail=True)
        for key, about in found.items():
            yield StoredFile(key.removeprefix(f"{self._root}/"), about["size"], about["LastModified"].timestamp())

    def remove(self, name: str) -> None:
        """Remove object and copy."""
        self._copy(name).unlink(missing_ok=True)
        try:
            with self._asking(name):
                self._files.rm_file(self._key(name))  # rm() says nothing of objects that could not be removed
        except NotFoundError:
            pass

    def remove_unchanged(self, file: StoredFile) -> bool:
        """Look once more, and remove it: there is no way to do both at once."""
        written = self._written(file.name)
        if written is None or written > file.written:
            return False
        self.remove(file.name)
        return True

    def remove_below(self, name: str) -> None:
        """Remove objects, several at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for removed in [pool.submit(self.remove, file.name) for file in self.files(name)]:
                removed.result()

    def begun(self, older_than: float) -> Iterator[StoredFile]:  # noqa: ARG002 - there are none
        """List nothing: an object is there whole or not at all."""
        return iter(())

    def try_out(self) -> None:
        """Store, fetch and remove a small object."""
        name = f".try-{uuid4().hex}"
        self.write(name, _PROBE)
        try:
            if self.read(name) != _PROBE:
                raise StorageUnavailableError(
                    f"the artifacts at {self.place} are not what was stored there: check the server"
                )
        except NotFoundError as error:
            raise StorageUnavailableError(
                f"the artifacts at {self.place} are not there when they were stored: check the server"
            ) from error
        finally:
            self.remove(name)

    @cached_property
    def _files(self) -> "S3FileSystem":
        try:
            from s3fs import S3FileSystem  # noqa: PLC0415 - an optional dependency
        except ImportError as error:
            raise InputError(
                f"artifacts in a bucket ({self.place}) need s3fs, which is not installed: "
                "install freeda-svc[s3], or set artifacts to a folder"
            ) from error
        files = S3FileSystem(
            endpoint_url=self._endpoint or None,
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": ANSWER_SECONDS,
                "retries": {"total_max_attempts": TRIES, "mode": "standard"},
            },
            use_listings_cache=False,  # what others store is to be seen at once
            skip_instance_cache=True,
        )
        files.retries = TRIES
        return files

    def _written(self, name: str) -> float | None:
        """When an object was stored, in seconds since 1970; None when it is not there."""
        bucket, _, key = self._key(name).partition("/")
        try:
            with self._asking(name):
                head = self._files.call_s3("head_object", Bucket=bucket, Key=key)
        except NotFoundError:
            return None
        written: datetime = head["LastModified"]
        return written.timestamp()

    def _key(self, name: str) -> str:
        if not is_below(name):
            raise InputError(f"{name!r} is no name of an artifact: it leads out of {self.place}")
        return f"{self._root}/{name}"

    def _copy(self, name: str) -> Path:
        self._key(name)
        return self.folder / name

    def _bring(self, name: str) -> None:
        try:
            self.local(name)
        except NotFoundError:
            return

    def _store(self, path: Path, name: str) -> None:
        with self._asking(name):
            self._files.put_file(str(path), self._key(name), timeout=_upload_seconds(path.stat().st_size))

    def _store_all(self, root: Path, *, replacing: bool) -> None:
        def store(path: Path) -> None:
            name = path.relative_to(root).as_posix()
            if replacing or not self.exists(name):
                self._store(path, name)

        paths = [path for path in root.rglob("*") if path.is_file()]
        last = [path for path in paths if path.name == LAST]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in ([path for path in paths if path.name != LAST], last):
                for stored in [pool.submit(store, path) for path in some]:
                    stored.result()

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Turn what the libraries raise into one line, which holds no address of the server.

        Raises:
            NotFoundError: there is no such object.
            StorageUnavailableError: for all other reasons.
        """
        _ = self._files  # whose absence is said before its libraries are needed
        from aiohttp import ClientError as ConnectionFailed  # noqa: PLC0415 - as above
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            yield
        except (OSError, BotoCoreError, ClientError, ConnectionFailed) as error:
            if isinstance(error, FileNotFoundError) and _code(error) not in {"", _NO_BUCKET}:
                raise NotFoundError(f"{name} is gone from the artifacts at {self.place}") from error
            raise StorageUnavailableError(f"the artifacts at {self.place} cannot be used: {_reason(error)}") from error


def _upload_seconds(size: int) -> float:
    """How long an upload may take; the libraries wait for leave to send a body without any limit."""
    return ANSWER_SECONDS + size / SLOWEST_UPLOAD


def _code(error: BaseException) -> str:
    """What a server called a failure; empty where no server did."""
    for one in (error, error.__cause__):
        response: dict[str, Any] = getattr(one, "response", None) or {}
        if response:
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _reason(error: Exception) -> str:
    """Say what is wrong and what to do, without what libraries add: addresses of servers."""
    from botocore import exceptions  # noqa: PLC0415 - as above

    code = _code(error)
    reasons = (
        (code == _NO_BUCKET, "there is no such bucket; make it, or correct artifacts"),
        (isinstance(error, PermissionError), f"access was denied ({code or 403}); check the access key and its rights"),
        (bool(code), f"the server answered {code}"),
        (
            isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError),
            "no access key is set; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            isinstance(error, exceptions.ReadTimeoutError | TimeoutError),
            f"the server has not answered within {ANSWER_SECONDS} s",
        ),
        (
            isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError),
            "the server cannot be reached; start it, or correct s3_endpoint",
        ),
    )
    other = one_line(getattr(error, "strerror", None) or type(error).__name__)
    return next((reason for holds, reason in reasons if holds), other)
