"""Files in the bodies of requests: streamed into a temporary folder, which is gone when the request has ended."""

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from anyio import to_thread
from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from freeda_svc.api.fields import REQUEST
from freeda_svc.api.multipart import FileReader, FormReader, Reader, UploadedFile, not_kept, plain_name
from freeda_svc.api.problems import ProblemError
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.file_locks import try_lock
from freeda_svc.private_folders import make_private_folder
from freeda_svc.settings import Settings

FORM, ANY_IMAGE, JSON = "multipart/form-data", "image/*", "application/json"
MOST_JSON_BYTES = 1 << 20
WRITE_BYTES = 1 << 20
"""So much of a body is kept in memory before it is written."""
LONGEST_SHOWN = 40
YOUNG_SECONDS = 60.0
"""So old is a folder before anybody takes it for one that was left."""


@dataclass(frozen=True)
class AcceptedBodies:
    """Which bodies a route takes.

    Attributes:
        fields: those of a form that are files; with an s or [] behind them, too.
        content_types: of a body that is one file, each with the ending that its name has when the client names none;
            ``image/*`` stands for all images.
        most_files: in one form; of each field where ``most_of_each``.
        expected: what to send, for messages.
    """

    fields: tuple[str, ...]
    content_types: Mapping[str, str]
    most_files: int
    expected: str
    most_of_each: bool = False

    @property
    def names(self) -> dict[str, str]:
        """The usual name of each field that is a file, by all names it may have."""
        return {f"{name}{more}": name for name in self.fields for more in ("", "s", "[]")}

    def ending(self, content_type: str) -> str | None:
        """Return the ending of a body's file; None where a body of the type is not taken."""
        kind, _, format_name = content_type.partition("/")
        if kind == "image" and ANY_IMAGE in self.content_types:
            return f".{format_name}" if format_name.isalnum() else ""
        return self.content_types.get(content_type)


@dataclass(frozen=True)
class Upload:
    """What came in a request.

    Attributes:
        fields: texts of the form and of the query, by name; blank ones count as not given.
        files: in order.
        folder: in which further files of the request may be kept; the name ``fetched`` is free.
    """

    fields: dict[str, str]
    files: list[UploadedFile]
    folder: Path

    @contextmanager
    def called_by_name(self) -> Iterator[None]:
        """Call files by their names in errors, in place of where they lie."""
        try:
            yield
        except ProblemError:
            raise
        except FreedaError as error:
            raise type(error)(self.with_names(str(error))) from error

    def with_names(self, text: str) -> str:
        """Return a text in which files are called by their names."""
        for file in self.files:
            text = text.replace(str(file.path), file.name)
        return text


class Uploads:
    """The folder of one server's temporary files; what a server that was killed has left beside it is removed."""

    def __init__(self, settings: Settings) -> None:
        """Prepare it: nothing is made before the first upload."""
        self._place = settings.uploads_folder
        self._lock = threading.Lock()
        self._own: Path | None = None
        self._descriptor = -1

    def new_folder(self) -> Path:
        """Make a folder for one request.

        Raises:
            UnavailableError: it cannot be made.
        """
        try:
            with self._lock:
                if self._own is None or not self._own.is_dir():
                    self._own = self._begin()
                return Path(tempfile.mkdtemp(dir=self._own))
        except OSError as error:
            raise not_kept(error) from error

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                os.close(self._descriptor)
                self._own = None

    def _begin(self) -> Path:
        make_private_folder(self._place)
        for left in self._place.iterdir():
            _remove_left(left)
        if self._own is not None:
            os.close(self._descriptor)
        made = Path(tempfile.mkdtemp(dir=self._place))
        self._descriptor = _open_folder(made)
        try_lock(self._descriptor)
        return made


def _remove_left(folder: Path) -> None:
    """Remove a folder unless a server that lives has it."""
    with suppress(OSError):
        descriptor = _open_folder(folder)
        try:
            if os.fstat(descriptor).st_mtime < time.time() - YOUNG_SECONDS and try_lock(descriptor):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


@asynccontextmanager
async def received(request: Request, accepted: AcceptedBodies) -> AsyncIterator[Upload]:
    """Read the body of a request: a form with files, or one file; its files are removed when the block ends.

    Args:
        request: whose body was not read yet.
        accepted: what the route takes.

    Raises:
        ProblemError: the body is none that is taken (415), has too many files or fields (413), is damaged or ends
            early (400).
        InputError: a field has no name, or is given twice.
        UnavailableError: it cannot be kept.
    """
    uploads: Uploads = request.app.state.uploads
    folder = await to_thread.run_sync(uploads.new_folder)
    try:
        reader = _reader(request, folder, accepted)
        for name, value in request.query_params.multi_items():
            reader.add_field(name, value)
        try:
            async for chunk in request.stream():
                reader.take(chunk)
                if reader.waiting >= WRITE_BYTES:
                    await to_thread.run_sync(reader.write)
        except ClientDisconnect as error:
            raise ProblemError(400, "the body ends early; send all of it") from error
        await to_thread.run_sync(reader.end)
        yield Upload({name: value for name, value in reader.fields.items() if value.strip()}, reader.files, folder)
    finally:  # without waiting for it, so that nothing can cancel it
        asyncio.get_running_loop().run_in_executor(None, _remove, folder)


def with_json(upload: Upload) -> Upload:
    """Take a body of JSON for the fields that it holds.

    Raises:
        ProblemError: it is too large.
        InputError: it is not UTF-8.
    """
    body = next((file for file in upload.files if not file.field and file.content_type == JSON), None)
    if body is None:
        return upload
    if body.path.stat().st_size > MOST_JSON_BYTES:
        raise ProblemError(413, f"the JSON has more than {MOST_JSON_BYTES:,} bytes; send images in a form")
    try:
        text = body.path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InputError("the JSON is not UTF-8 text; send it as UTF-8") from error
    return replace(upload, fields={**upload.fields, REQUEST: text}, files=[])


def _reader(request: Request, folder: Path, accepted: AcceptedBodies) -> Reader:
    """Return what reads the body of a request.

    Raises:
        ProblemError: the body is none that is taken.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ProblemError(415, f"bodies with Content-Encoding: {encoding} are not taken; send it as it is")
    header = request.headers.get("content-type", "")
    kind, options = parse_options_header(header)
    content_type = kind.decode("latin-1")
    if content_type == FORM:
        boundary = options.get(b"boundary", b"")
        return FormReader(folder, boundary, accepted.names, accepted.most_files, each=accepted.most_of_each)
    ending = accepted.ending(content_type)
    if ending is None:
        found = f"the content type {header[:LONGEST_SHOWN]!r} is not taken" if header else "there is no content type"
        raise ProblemError(415, f"{found}; send {accepted.expected}")
    _, disposition = parse_options_header(request.headers.get("content-disposition", ""))
    name = disposition.get(b"filename", b"").decode("utf-8", "replace")
    return FileReader(folder, plain_name(name) if name else f"{accepted.fields[0]}{ending}", content_type)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
