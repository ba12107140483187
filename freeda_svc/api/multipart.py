"""Reading a body piece by piece: a form's fields into memory and its files to a folder, or one file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from freeda_svc.api.problems import ProblemError
from freeda_svc.errors import InputError, UnavailableError

MOST_FIELDS = 200
MOST_FIELD_BYTES = 1 << 20
"""Of all fields of a form together that are no files."""
MOST_FOLDERS = 8
LONGEST_NAME = 200  # bytes
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class UploadedFile:
    """A file of a request.

    Attributes:
        field: of the form, by its usual name; empty where the file is the body.
        name: what the client calls it, perhaps with folders; never a path that is used.
        content_type: as the client says it, in lower case and without parameters; may be empty.
        path: where it lies until the request ends; its last part is that of the name.
    """

    field: str
    name: str
    content_type: str
    path: Path


class Reader:
    """Takes what has arrived of a body; ``write`` is for a thread, as it may wait for a disk."""

    def __init__(self, folder: Path) -> None:
        """Begin.

        Args:
            folder: for the files; made when there is one.
        """
        self.fields: dict[str, str] = {}
        self.files: list[UploadedFile] = []
        self.waiting = 0
        """Bytes that are not written yet."""
        self._folder = folder
        self._pieces: list[tuple[UploadedFile, bytes]] = []

    def take(self, chunk: bytes) -> None:
        """Read on.

        Raises:
            ProblemError: the body is damaged, or too much of something.
            InputError: a field has no name, is unknown, or is given twice.
        """
        raise NotImplementedError

    def end(self) -> None:
        """Write what is left; the body has arrived.

        Raises:
            ProblemError: its end is missing.
            InputError: there is nothing in it.
            UnavailableError: it cannot be written.
        """
        self._pieces += [(file, b"") for file in self.files]  # one that is empty is a file, too
        self.write()

    def add_field(self, name: str, value: str) -> None:
        """Take a field.

        Raises:
            InputError: there is one of the name already, or it is no text.
        """
        if name in self.fields:
            raise InputError(f"the parameter {name!r} is given twice; give it once")
        if "\0" in value:
            raise InputError(f"the parameter {name!r} holds a NUL character; give a text")
        self.fields[name] = value

    def write(self) -> None:
        """Write what has arrived of the files.

        Raises:
            UnavailableError: it cannot be written.
        """
        pieces, self._pieces, self.waiting = self._pieces, [], 0
        try:
            while pieces:
                file = pieces[0][0]
                file.path.parent.mkdir(parents=True, exist_ok=True)
                with file.path.open("ab") as target:
                    while pieces and pieces[0][0] is file:
                        target.write(pieces.pop(0)[1])
        except OSError as error:
            raise not_kept(error) from error

    def _add_file(self, field: str, name: str, content_type: str) -> UploadedFile:
        place = self._folder / str(len(self.files)) / PurePosixPath(name).name
        self.files.append(UploadedFile(field, name, content_type, place))
        return self.files[-1]

    def _add_piece(self, file: UploadedFile, piece: bytes) -> None:
        self._pieces.append((file, piece))
        self.waiting += len(piece)


class FileReader(Reader):
    """Reads a body that is one file."""

    def __init__(self, folder: Path, name: str, content_type: str) -> None:
        """Begin with its name."""
        super().__init__(folder)
        self._file = self._add_file("", name, content_type)
        self._is_empty = True

    def take(self, chunk: bytes) -> None:
        """Read on."""
        self._is_empty = self._is_empty and not chunk
        self._add_piece(self._file, chunk)

    def end(self) -> None:
        """Write what is left.

        Raises:
            InputError: there is nothing in it.
            UnavailableError: it cannot be written.
        """
        if self._is_empty:
            raise InputError("the body is empty; send a file")
        super().end()


class FormReader(Reader):
    """Reads multipart/form-data (RFC 7578)."""

    def __init__(
        self, folder: Path, boundary: bytes, file_fields: Mapping[str, str], most_files: int, *, each: bool = False
    ) -> None:
        """Begin.

        Args:
            folder: for the files; made when there is one.
            boundary: between the parts, as the content type says it.
            file_fields: the fields that are files, by the names they may have, each with its usual one.
            most_files: in one form.
            each: whether so many may be there of each field.

        Raises:
            ProblemError: there is no boundary, or it is none.
        """
        super().__init__(folder)
        self._file_fields, self._most_files, self._each = file_fields, most_files, each
        self._header_name, self._header_value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = "", bytearray()
        self._file: UploadedFile | None = None
        self._is_nothing = False
        self._field_bytes = 0
        self._has_ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._read_header_name,
                    "on_header_value": self._read_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_part_data": self._read_content,
                    "on_part_end": self._end_part,
                    "on_end": self._end_form,
                },
            )
        except FormParserError as error:
            raise _damaged(error) from error
        if not boundary:
            raise ProblemError(400, "the content type multipart/form-data names no boundary; let your client set it")

    def take(self, chunk: bytes) -> None:
        """Read on.

        Raises:
            ProblemError: the form is damaged, or has too many fields or files.
            InputError: a field has no name, is unknown, or is given twice.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _damaged(error) from error

    def end(self) -> None:
        """Write what is left.

        Raises:
            ProblemError: the form's last boundary is missing.
            UnavailableError: it cannot be written.
        """
        if not self._has_ended:
            raise ProblemError(400, "the form ends before its last boundary; send all of it")
        super().end()

    def _begin_part(self) -> None:
        self._headers.clear()
        self._value.clear()
        self._file = None

    def _read_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _read_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _begin_content(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        if disposition != b"form-data" or not self._field:
            raise InputError('a part of the form has no name; begin it with Content-Disposition: form-data; name="..."')
        if self._field not in self._file_fields:
            if b"filename" in options:
                known = ", ".join(dict.fromkeys(self._file_fields.values()))
                raise InputError(f"there is no field {self._field!r} that is a file; files are called {known}")
            if len(self.fields) >= MOST_FIELDS:
                raise ProblemError(413, f"the form has more than {MOST_FIELDS} fields; send fewer")
            return
        usual = self._file_fields[self._field]
        before = sum(file.field == usual for file in self.files) if self._each else len(self.files)
        if before >= self._most_files:
            raise ProblemError(413, f"the form has more than {self._most_files:,} files; send them in several requests")
        content_type, _ = parse_options_header(self._headers.get(b"content-type", b""))
        given = options.get(b"filename", b"").decode("utf-8", "replace")
        self._file = self._add_file(usual, plain_name(given), content_type.decode("latin-1").lower())
        self._is_nothing = not given

    def _read_content(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._add_piece(self._file, data[start:end])
            self._is_nothing = self._is_nothing and start == end
            return
        self._field_bytes += end - start
        if self._field_bytes > MOST_FIELD_BYTES:
            raise ProblemError(413, f"the form's fields hold more than {MOST_FIELD_BYTES:,} bytes; send fewer of them")
        self._value += data[start:end]

    def _end_part(self) -> None:
        if self._file is not None:
            if self._is_nothing:  # what a browser sends where no file was chosen
                self.files.remove(self._file)
            return
        try:
            self.add_field(self._field, self._value.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"the parameter {self._field!r} is not UTF-8 text; send it as UTF-8") from error

    def _end_form(self) -> None:
        self._has_ended = True


def plain_name(given: str) -> str:
    r"""Return what a client calls a file, as a name and never a way out of a folder.

    Folders stay where the name goes down only, as those of a folder that was chosen in a browser, the innermost ones
    where there are many; else the last part is left. Characters that cannot be printed become ``_``.

    >>> plain_name("photos/a.png"), plain_name("../../etc/passwd"), plain_name(r"C:\pictures\b.png"), plain_name("")
    ('photos/a.png', 'passwd', 'b.png', 'file')
    """
    path = given.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    goes_down = not path.startswith("/") and ".." not in parts and not _DRIVE.match(path)
    kept = parts[-MOST_FOLDERS:] if goes_down else parts[-1:]
    return "/".join(_plain_part(_DRIVE.sub("", part)) for part in kept) or "file"


def _plain_part(part: str) -> str:
    """Return a part of a name that any file system takes."""
    text = "".join(character if character.isprintable() else "_" for character in part.strip())
    if len(text.encode()) > LONGEST_NAME:
        ending = PurePosixPath(text).suffix
        ending = ending if len(ending.encode()) <= LONGEST_NAME // 2 else ""
        text = text.encode()[: LONGEST_NAME - len(ending.encode())].decode("utf-8", "ignore") + ending
    return text if text not in {"", ".", ".."} else "file"


def not_kept(error: OSError) -> UnavailableError:
    """Return the error for an upload that cannot be written."""
    return UnavailableError(f"the upload cannot be kept: {error.strerror}")


def _damaged(error: FormParserError) -> ProblemError:
    return ProblemError(400, f"the form is damaged ({error}); send it as multipart/form-data (RFC 7578)")
