"""Answers that are files: kept ones or made for one request, part or whole; and archives made while they are sent."""

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.responses import FileResponse

from freeda_svc.api.problems import ProblemError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes=((\d{1,18}-\d{0,18}|-\d{1,18})(\s*,\s*(?!$)|$))+", re.ASCII)
_TAG = re.compile(r'(?:W/)?("[^"]*")')
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first time that an archive can name."""


class MadeFile(FileResponse):
    """A file that was made for one request; its folder goes when it has been sent, or nobody takes it any more."""

    def __init__(self, path: Path, folder: "tempfile.TemporaryDirectory[str]", **given: Any) -> None:  # noqa: ANN401
        """Take a file in a temporary folder, and what FileResponse takes."""
        super().__init__(path, **given)
        self._folder = folder

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._folder.cleanup()


def answer_file(
    request: Request,
    path: Path,
    *,
    name: str,
    media_type: str,
    made_in: "tempfile.TemporaryDirectory[str] | None" = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer a file: whole, in the ranges that were asked for, or not at all where the client has it already.

    Args:
        request: with Range, If-Range and If-None-Match.
        path: of the file.
        name: what it is called when it is saved.
        media_type: of the file.
        made_in: the temporary folder it lies in, which this takes over.
        headers: further ones.

    Raises:
        ProblemError: 416, the file is shorter than where a range begins.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            tag = f'"{hashlib.file_digest(file, "sha256").hexdigest()[:32]}"'
        given = {**(headers or {}), "ETag": tag, "Cache-Control": "private, no-cache"}
        wanted = request.headers.get("if-none-match")
        if wanted is not None and (wanted.strip() == "*" or tag in _TAG.findall(wanted)):
            if made_in is not None:
                made_in.cleanup()
            return Response(status_code=304, headers=given)
        _check_range(request, size, tag)
    except BaseException:
        if made_in is not None:
            made_in.cleanup()
        raise
    about = {"media_type": media_type, "filename": name, "content_disposition_type": "inline", "headers": given}
    return FileResponse(path, **about) if made_in is None else MadeFile(path, made_in, **about)  # type: ignore[arg-type]


def _check_range(request: Request, size: int, tag: str) -> None:
    """Refuse a range outside of the file; forget one that is not understood, as if it was not asked for."""
    asked = request.headers.get("range", "")
    if not asked:
        return
    if not _RANGE.fullmatch(asked.strip()):
        request.scope["headers"] = [entry for entry in request.scope["headers"] if entry[0] != b"range"]
        return
    if request.headers.get("if-range", tag) != tag:
        return
    spans = [span.strip().partition("-") for span in asked.partition("=")[2].split(",")]
    if any((first and (int(first) >= size or (last and int(last) < int(first)))) for first, _, last in spans):
        raise ProblemError(
            416, f"the range {asked!r} is not in the file of {size} bytes", {"Content-Range": f"bytes */{size}"}
        )


class _Sink:
    """Takes what is written, until it is taken from it; knows no places, as a socket does not."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Do nothing: everything is at hand."""

    def take(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def stream_zip(files: Iterable[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """Make an archive of files one after another; of each only a part is in memory.

    Args:
        files: name in the archive, and the file or its content; each is read when its turn comes, and not after the
            next one was asked for.

    Yields:
        Pieces of the archive.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        for name, source in files:
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.external_attr = 0o644 << 16
            packed = name.endswith((".png", ".jpg", ".npz"))
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=not isinstance(source, bytes)) as target:
                for part in [source] if isinstance(source, bytes) else _parts(source):
                    target.write(part)
                    if piece := sink.take():
                        yield piece
            yield sink.take()
    yield sink.take()


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            yield part
