"""Caption files, read as a stream: COCO captions, plain text, JSON lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.errors import InputError

_FIELDS = ("caption", "text")
_FORMATS = "a COCO captions .json, a .txt with one caption a line, or a .jsonl with a field 'caption' or 'text'"


def read_captions(path: Path) -> Iterator[Caption]:
    """Read the captions of a file in their order, each once.

    Args:
        path: a COCO captions ``.json``, a ``.txt`` with one caption a line, or a ``.jsonl`` with one object a line
            whose field ``caption`` or ``text`` is the caption; all in UTF-8.

    Yields:
        Captions with white space folded; empty ones and repetitions are left out.

    Raises:
        InputError: there is no such file, it is a directory or of another format, it is not UTF-8, its JSON is cut
            off or of another structure, or it has no captions. Raised while reading; captions yielded before are good.
    """
    readers = {".txt": _read_lines, ".jsonl": _read_objects, ".json": _read_coco}
    if path.is_dir():
        raise InputError(f"{path} is a directory; give a caption file: {_FORMATS}")
    if not path.is_file():
        raise InputError(f"there is no caption file {path}")
    read = readers.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path} is of no format that can be read; give {_FORMATS}")
    seen: set[str] = set()
    try:
        for text in read(path):
            caption = make_caption(text)
            if caption is not None and caption.id not in seen:
                seen.add(caption.id)
                yield caption
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if not seen:
        raise InputError(f"{path} has no captions; expected {_FORMATS}")


def _read_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if "\0" in line:
                raise InputError(f"{path}, line {number}: not a text file")
            yield line


def _read_objects(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{place}: not valid JSON ({error}); expected one object a line") from error
            found = [row[field] for field in _FIELDS if field in row] if isinstance(row, dict) else []
            yield _text_of(found[0] if found else None, place, "an object with a text in 'caption' or 'text'")


def _read_coco(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON, perhaps cut off ({error})") from error
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list):
        raise InputError(f"{path}: expected COCO captions, an object with a list 'annotations'")
    for number, annotation in enumerate(annotations):
        found = annotation.get("caption") if isinstance(annotation, dict) else None
        yield _text_of(found, f"{path}, annotation {number}", "an object with a text in 'caption'")


def _text_of(value: Any, place: str, expected: str) -> str:  # noqa: ANN401  (whatever JSON holds)
    if not isinstance(value, str):
        raise InputError(f"{place}: expected {expected}")
    if any("\ud800" <= letter <= "\udfff" for letter in value):  # JSON can spell what no text can hold
        raise InputError(f"{place}: the text has half a character (a lone surrogate)")
    return value
