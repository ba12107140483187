"""Lists that are asked for page by page: ``limit`` entries of them, then those ``after`` the last one."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field, PlainSerializer

from freeda_svc.errors import InputError

Entry = TypeVar("Entry")
AGE = "^([0-9]{1,4}[dhms])?$"
"""Pattern of spans of time, or none, as `freeda_svc.jobs.parse_age` reads them."""
MOST_DIGITS = 18
"""Of a number in a cursor; more would not fit into a database's integer."""

Moment = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str, when_used="json")]
"""A time in UTC, written as the command line writes it."""

CURSOR: dict[str, Any] = {"description": "go on after a page: its `next`", "max_length": 200}
Cursor = Annotated[str, Query(**CURSOR)]
NumberCursor = Annotated[str, Query(**CURSOR, json_schema_extra={"pattern": f"^[0-9]{{0,{MOST_DIGITS}}}$"})]


class Page(BaseModel, Generic[Entry]):
    """Some entries of a list."""

    items: list[Entry] = Field(description="in the order of the list")
    next: str | None = Field(description="ask with `after` set to it for the next page; null at the end")


def number_after(cursor: str) -> int:
    """Read a cursor that is a number; 0 where there is none.

    Raises:
        InputError: it is none.
    """
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= MOST_DIGITS):
        raise InputError(f"after is {cursor!r}, which is no `next` of a page")
    return int(cursor)
