"""The rows of a COCO annotation file, one by one, however large the file and whatever else is in it."""

from collections.abc import Collection, Iterator
from io import BufferedReader
from typing import Any

import ijson

from freeda_svc.captions.annotations import DEEPEST
from freeda_svc.captions.json_events import json_events, plain

_SECTION_DEPTH, _ROW_DEPTH = 1, 2


def annotation_rows(stream: BufferedReader, sections: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Give each element of some of the file's lists, with the list's name, in the order of the file.

    Args:
        stream: the file.
        sections: names of the lists, such as ``images`` and ``annotations``.

    Raises:
        ijson.JSONError: it is no JSON, is cut off, or nested more than ``DEEPEST`` deep.
    """
    depth, section = 0, ""
    listed = False
    row = ijson.ObjectBuilder()
    for event, value in json_events(stream):
        if depth == _SECTION_DEPTH and event == "map_key":
            section = value
            continue
        is_start, is_end = event.startswith("start_"), event.startswith("end_")
        depth -= is_end
        if depth == _SECTION_DEPTH and is_start:
            listed = event == "start_array" and section in sections
        elif listed and depth >= _ROW_DEPTH:
            row.event(event, plain(value))
            if depth == _ROW_DEPTH and not is_start:
                yield section, row.value
                row = ijson.ObjectBuilder()
        depth += is_start
        if depth > DEEPEST:
            raise ijson.JSONError(f"nested more than {DEEPEST} deep")
