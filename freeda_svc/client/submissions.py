"""What is asked of a server, as the forms that its routes take."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

from freeda_svc.client.answers import entry_of
from freeda_svc.client.connection import Connection
from freeda_svc.client.uploads import OCTETS, FileWhileSent, Part, Upload, parts_of
from freeda_svc.input_files import ANYWHERE, InputRules
from freeda_svc.parameters import Category

SEGMENTATIONS, CAPTIONS, EXEMPLARS = "/v1/segmentations", "/v1/captions", "/v1/exemplars"


def new_key() -> str:
    """Return a name for a request, under which it can be sent again when its answer was lost."""
    return f"client {uuid4().hex}"


def category_values(categories: Iterable[Category]) -> list[dict[str, Any]]:
    """Return categories as JSON holds them."""
    return [category.given() for category in categories]


def submit_images(
    connection: Connection,
    uploads: Sequence[Upload],
    request: Mapping[str, Any],
    *,
    key: str = "",
    rules: InputRules = ANYWHERE,
    wait: float = 0.0,
) -> dict[str, Any]:
    """Send images to be segmented; return what the server says of the job.

    Args:
        connection: to the server.
        uploads: the images.
        request: what is asked of all of them, by the names of the route's fields.
        key: the request's name; one is made where there is none.
        rules: where files may lie.
        wait: for so many seconds the server may wait for the job's end before it answers.

    Raises:
        FreedaError: as the server says; nothing was accepted then.
    """
    return _submit(connection, SEGMENTATIONS, request, lambda: parts_of(uploads, "image", rules), key, wait=wait)


def submit_captions(
    connection: Connection,
    captions: Iterable[str],
    request: Mapping[str, Any],
    *,
    key: str = "",
    source: str = "captions",
) -> dict[str, Any]:
    """Send captions to be made prototypes of; return what the server says of the job.

    Args:
        connection: to the server.
        captions: sentences of whatever language, which have been looked at.
        request: what is asked, by the names of the route's fields.
        key: the request's name; one is made where there is none.
        source: where they came from, for people.

    Raises:
        FreedaError: as the server says; nothing was accepted then.
    """
    with NamedTemporaryFile(mode="w", encoding="utf-8", prefix="freeda-", suffix=".jsonl") as file:
        for text in captions:
            file.write(f"{json.dumps({'caption': text})}\n")
        file.flush()
        path = Path(file.name)
        asked = {**request, "format": "jsonl", "any_language": True}
        return _submit(connection, CAPTIONS, asked, lambda: [("file", (source, FileWhileSent(path), OCTETS))], key)


def submit_marked(
    connection: Connection, images: Sequence[Upload], masks: Sequence[Upload], request: Mapping[str, Any], *, key: str
) -> dict[str, Any]:
    """Send images with their masks; return what the server says of the job.

    Raises:
        FreedaError: as the server says; nothing was accepted then.
    """
    return _submit(connection, EXEMPLARS, request, lambda: [*parts_of(images, "image"), *parts_of(masks, "mask")], key)


def _submit(
    connection: Connection,
    path: str,
    request: Mapping[str, Any],
    parts: Callable[[], list[Part]],
    key: str,
    *,
    wait: float = 0.0,
) -> dict[str, Any]:
    form = {"request": json.dumps(request, ensure_ascii=False)}
    headers = {"Idempotency-Key": key or new_key(), **({"Prefer": f"wait={ceil(wait)}"} if wait else {})}
    answer = connection.ask(
        "POST",
        path,
        body=lambda: {"data": form, "files": parts()},
        headers=headers,
        repeatable=True,
        seconds=connection.timeout + wait,
    )
    entry_of(answer, "job", str, connection.address)
    return dict(answer)
