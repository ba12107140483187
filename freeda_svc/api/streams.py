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
_TAG = re.compile(r'(W/)?("[^"]*")')
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
        request: with Range, If-Range, If-Match and If-None-Match.
        path: of the file.
        name: what it is called when it is saved.
        media_type: of the file.
        made_in: the temporary folder it lies in, which this takes over.
        headers: further ones.

    Raises:
        ProblemError: 412, the client means another version of the file; 416, no range begins within it.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            tag = f'"{hashlib.file_digest(file, "sha256").hexdigest()[:32]}"'
        given = {**(headers or {}), "ETag": tag, "Cache-Control": "private, no-cache"}
        _check_match(request, tag)
        if _names_it(request, "if-none-match", tag, otherwise=False):
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


def _check_match(request: Request, tag: str) -> None:
    """Refuse a file that is another one than the client means."""
    if not _names_it(request, "if-match", tag, otherwise=True, strongly=True):
        raise ProblemError(412, "the file is another one by now than that which If-Match names", {"ETag": tag})


def _names_it(request: Request, header: str, tag: str, *, otherwise: bool, strongly: bool = False) -> bool:
    """Whether a header names a file's tag, or any; what to take where it is missing is given."""
    given = ",".join(request.headers.getlist(header))
    if not given:
        return otherwise
    tags = [named for weak, named in _TAG.findall(given) if not (weak and strongly)]
    return given.strip() == "*" or tag in tags


def _check_range(request: Request, size: int, tag: str) -> None:
    """Refuse ranges that are all outside of the file, and forget those that are.

    All are forgotten, as if they were not asked for, where they are not understood, where the client has another
    version, and with HEAD, for which HTTP knows no ranges.
    """
    asked = request.headers.get("range", "")
    if not asked:
        return
    others = [entry for entry in request.scope["headers"] if entry[0] != b"range"]
    is_whole = request.method != "GET" or request.headers.get("if-range", tag) != tag
    if is_whole or not _RANGE.fullmatch(asked.strip()):
        request.scope["headers"] = others
        return
    spans = [span.strip() for span in asked.partition("=")[2].split(",")]
    inside = [span for span in spans if _is_inside(span, size)]
    if not inside or any(_is_backwards(span) for span in spans):
        raise ProblemError(
            416, f"the range {asked!r} is not in the file of {size} bytes", {"Content-Range": f"bytes */{size}"}
        )
    request.scope["headers"] = [*others, (b"range", f"bytes={','.join(inside)}".encode())]


def _is_inside(span: str, size: int) -> bool:
    """Whether a part of a range, such as ``2-5``, ``7-`` or ``-3`` (the last three bytes), has bytes of the file."""
    first, _, last = span.partition("-")
    return int(first) < size if first else int(last) > 0 and size > 0


def _is_backwards(span: str) -> bool:
    first, _, last = span.partition("-")
    return bool(first and last) and int(last) < int(first)


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
