"""The annotations of a COCO file, one by one, however large the file and whatever else is in it."""

from collections.abc import Iterator
from io import BufferedReader
from typing import Any

import ijson

from freeda_svc.captions.json_events import json_events, plain

ANNOTATIONS_DEPTH = 2
CAPTION = "caption"
DEEPEST = 200


def coco_annotations(stream: BufferedReader) -> Iterator[Any]:
    """Give each element of the list ``annotations``, of objects only the field ``caption``.

    What is nested in it comes as an empty dict; other fields are nobody's business and may be many.

    Built on the parser's plain events: those with paths take memory by the square of the depth, which a file of
    opening brackets turns against whoever reads it.

    Raises:
        ijson.JSONError: it is no JSON, is cut off, or nested more than ``DEEPEST`` deep.
    """
    depth, key, field = 0, "", ""
    listed = False
    row: dict[str, Any] = {}
    for event, value in json_events(stream):
        if event == "map_key":
            key, field = (value, field) if depth == 1 else (key, value if depth == ANNOTATIONS_DEPTH + 1 else field)
            continue
        is_start, is_end = event.startswith("start_"), event.startswith("end_")
        depth -= is_end
        if depth == 1 and is_start:
            listed = key == "annotations" and event == "start_array"
        if listed and depth == ANNOTATIONS_DEPTH:
            if is_start:
                row = {}
            else:
                yield row if is_end else plain(value)
        elif listed and depth == ANNOTATIONS_DEPTH + 1 and not is_end and field == CAPTION:
            row[field] = {} if is_start else plain(value)
        depth += is_start
        if depth > DEEPEST:
            raise ijson.JSONError(f"nested more than {DEEPEST} deep")
