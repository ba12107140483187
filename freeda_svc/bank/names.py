"""Names of banks and of their versions: ``animals`` is the current version of a bank, ``animals@2`` its second."""

import re
from dataclasses import dataclass
from typing import Self

from freeda_svc.errors import InputError

DEFAULT_BANK = "default"

_PATTERN = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, order=True)
class BankName:
    """One version of a bank, as people and jobs write it: ``animals@2``."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name that has its version.

        Raises:
            InputError: it is no name of a bank, or has no version.
        """
        name, version = split_bank_name(text)
        if version is None:
            raise InputError(f"the bank {text!r} has no version here: write it as {text}@1")
        return cls(name, version)


def split_bank_name(text: str) -> tuple[str, int | None]:
    """Read a bank's name and its version; None where the text leaves the version open.

    Raises:
        InputError: it is no name of a bank.
    """
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text!r} is no name of a bank: use up to 63 lower-case letters, digits, - and _, beginning with a letter "
            "or digit, and @ with a number for one of its versions, such as animals or animals@2"
        )
    return found[1], int(found[2]) if found[2] else None
