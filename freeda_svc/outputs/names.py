"""Names of categories and images in formats that cannot hold every character."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

_UNSEEN = frozenset(("Cc", "Cs", "Zl", "Zp"))
_NO_CHARACTERS = (0xFFFE, 0xFFFF)
_PLANE = 0x10000
_LONGEST = 100
_KEPT = frozenset("-_.()+")


def plain_name(name: str) -> str:
    r"""Return a name with characters that XML, YAML and lines of text cannot hold written out.

    These are control characters, line breaks, halves of characters and numbers that are no characters.

    >>> plain_name("a\x07b")
    'a\\x07b'
    """
    return "".join(_written_out(character) if _is_unseen(character) else character for character in name)


def _is_unseen(character: str) -> bool:
    number = ord(character)
    return (
        unicodedata.category(character) in _UNSEEN
        or number % _PLANE in _NO_CHARACTERS
        or "\ufdd0" <= character <= "\ufdef"
        or character == "\ufeff"
    )


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def file_text(name: str) -> str:
    """Return the name of a file as text that can be written: bytes of it that are no UTF-8 are written out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def flat_names(stems: Sequence[str]) -> list[str]:
    """Give images names without folders and blanks, each its own also where letter case does not count.

    >>> flat_names(["a/x y", "a_x_y", "b"])
    ['a_x_y', 'a_x_y-2', 'b']
    """
    taken: set[str] = set()
    names = []
    for stem in stems:
        base = "".join(
            character if character.isalnum() or character in _KEPT else "_"
            for character in "_".join(PurePosixPath(stem).parts)
        )
        base = base.encode()[:_LONGEST].decode(errors="ignore").lstrip(".") or "_"
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names
