"""Who may do what: the scope that each route asks for."""

from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request


class Scope(StrEnum):
    """What a key is good for; each includes those before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMINISTER = "administer"


def _allow(_request: Request) -> None:
    """Let everybody do everything: the server answers on the loopback address only."""


Reader = Annotated[None, Depends(_allow)]
Submitter = Annotated[None, Depends(_allow)]
Administrator = Annotated[None, Depends(_allow)]
