"""Lists of checksums, as the program sha256sum writes and checks them."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from freeda_svc.errors import InputError

SUMS_NAME = "SHA256SUMS"
_DIGITS = 64


def write_sums(path: Path, sums: Sequence[tuple[str, str]]) -> None:
    """Write names and checksums as the program sha256sum does, so that it can check them.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for name, digest in sums:
            escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
            mark = "\\" if escaped != name else ""
            file.write(f"{mark}{digest}  {escaped}\n")


def read_sums(path: Path) -> list[tuple[str, str]]:
    """Read names and checksums.

    Raises:
        InputError: it is no such list, or a name leads out of the folder.
        OSError: it cannot be read.
    """
    sums = []
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no list of checksums") from error
    for line in lines:
        marked, rest = line.startswith("\\"), line.removeprefix("\\")
        digest, separator, name = rest[:_DIGITS], rest[_DIGITS : _DIGITS + 2], rest[_DIGITS + 2 :]
        if marked:
            name = name.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\")
        place = PurePosixPath(name)
        if separator != "  " or not name or place.is_absolute() or ".." in place.parts or len(digest) != _DIGITS:
            raise InputError(f"{path} is damaged, or no list of checksums")
        sums.append((name, digest))
    return sums
