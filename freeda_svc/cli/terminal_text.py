"""Text from outside, such as names of files, as a terminal may show it."""

import unicodedata

_MOVES_THE_CURSOR = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Control characters, halves of characters, and the two line separators."""


def printable(text: str) -> str:
    r"""Return a text with what would move a terminal's cursor or change its colours written out.

    >>> printable("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) in _MOVES_THE_CURSOR else letter
        for letter in text
    )
