"""The rows of a COCO file, one by one, however large the file and whatever else is in it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Any

import ijson

from freeda_svc.captions.json_events import describe_fault, json_events, plain
from freeda_svc.errors import InputError
from freeda_svc.text_files import other_encoding, skip_byte_order_mark

ANNOTATIONS = "annotations"
CAPTION = "caption"
DEEPEST = 200

_SECTION_DEPTH, _ROW_DEPTH = 1, 2


def coco_captions(stream: BufferedReader, called: str) -> Iterator[Any]:
    """Give each element of the list ``annotations``, of objects only the field ``caption``.

    What is nested in it comes as an empty dict; other fields are skipped.

    Args:
        stream: the file.
        called: what to call it in messages.

    Raises:
        InputError: it is no JSON, is cut off, or nested more than ``DEEPEST`` deep.
    """
    field = ""
    row: dict[str, Any] = {}
    for _, depth, event, value in _listed_events(stream, called, {ANNOTATIONS}):
        if event == "map_key":
            field = value if depth == 1 else field
        elif depth == 0 and event.startswith("start_"):
            row = {}
        elif depth == 0:
            yield row if event.startswith("end_") else plain(value)
        elif depth == 1 and field == CAPTION and not event.startswith("end_"):
            row[field] = {} if event.startswith("start_") else plain(value)


def coco_rows(stream: BufferedReader, called: str, sections: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Give each element of some of the file's lists, with the list's name, in the order of the file.

    Args:
        stream: the file.
        called: what to call it in messages.
        sections: names of the lists, such as ``images`` and ``annotations``.

    Raises:
        InputError: it is no JSON, is cut off, or nested more than ``DEEPEST`` deep.
    """
    row = ijson.ObjectBuilder()
    for section, depth, event, value in _listed_events(stream, called, sections):
        row.event(event, plain(value))
        if depth == 0 and not event.startswith("start_"):
            yield section, row.value
            row = ijson.ObjectBuilder()


def _listed_events(
    stream: BufferedReader, called: str, sections: Collection[str]
) -> Iterator[tuple[str, int, str, Any]]:
    """Give the events inside of some lists: the list's name, how deep in an element they are, event and value.

    Built on the parser's plain events: those with paths take memory by the square of the depth, which a file of
    opening brackets would exhaust the reader.
    """
    depth, section, listed = 0, "", False
    with _faults_named(called):
        skip_byte_order_mark(stream, called)
        for event, value in json_events(stream):
            if depth == _SECTION_DEPTH and event == "map_key":
                section = value
                continue
            is_start = event.startswith("start_")
            depth -= event.startswith("end_")
            if depth == _SECTION_DEPTH and is_start:
                listed = event == "start_array" and section in sections
            elif listed and depth >= _ROW_DEPTH:
                yield section, depth - _ROW_DEPTH, event, value
            depth += is_start
            if depth > DEEPEST:
                raise ijson.JSONError(f"nested more than {DEEPEST} deep")


@contextmanager
def _faults_named(called: str) -> Iterator[None]:
    try:
        yield
    except ijson.JSONError as error:
        if "UTF8" in str(error):
            raise other_encoding(called) from error
        raise InputError(f"{called}: not valid JSON, perhaps cut off ({describe_fault(error)})") from error
