"""What is asked of a server, as the forms that its routes take."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from os import SEEK_END
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

from freeda_svc.client.answers import entry_of
from freeda_svc.client.connection import Connection
from freeda_svc.client.pages import Pages
from freeda_svc.client.parts import FEW_BYTES, FEW_IMAGES, PART_BYTES, cut_parts, request_limits, size_of
from freeda_svc.client.uploads import OCTETS, FileWhileSent, Part, Upload, parts_of
from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules
from freeda_svc.parameters import Category

MOST_FIELD_BYTES = 900_000
"""Of all fields of a form together that are no files, a little less than a server takes."""
TEXT_BYTES = 2 * 150 + 100
"""What a field says of an image beside its noun and caption: names of two files, and names of fields."""
LONGEST_NAME = 150
"""Of an image that is named in a field, bytes."""
_CHANGED = frozenset('"%\\/')
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
    regions: Sequence[Upload] = (),
) -> dict[str, Any]:
    """Send images to be segmented; return what the server says of the job.

    Args:
        connection: to the server.
        uploads: the images.
        request: what is asked of all of them, by the names of the route's fields.
        key: the request's name; one is made where there is none.
        rules: where files may lie.
        wait: for so many seconds the server may wait for the job's end before it answers.
        regions: files of regions, one for each image, or none.

    Raises:
        FreedaError: as the server says; nothing was accepted then.
    """

    def parts() -> list[Part]:
        return [*parts_of(uploads, "image", rules), *parts_of(regions, "region_map", rules)]

    return _submit(connection, SEGMENTATIONS, request, parts, key, wait=wait)


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


@dataclass(frozen=True, eq=False)
class MarkedUpload:
    """An image on its way to a server, with what is marked in it.

    Attributes:
        image: the image; several may have the same.
        mask: of its size, not zero where the object is.
        noun: what is marked; that of the request when empty.
        caption: a sentence about the image; that of the request when empty.
    """

    image: Upload
    mask: Upload
    noun: str = ""
    caption: str = ""


def submit_marked(
    connection: Connection,
    marked: Sequence[MarkedUpload],
    request: Mapping[str, Any],
    *,
    key: str = "",
    rules: InputRules = ANYWHERE,
) -> dict[str, Any]:
    """Send images with their masks; return what the server says of the job.

    Args:
        connection: to the server.
        marked: images and masks; an image that several have is sent once.
        request: what is asked of all of them, by the names of the route's fields.
        key: the request's name; one is made where there is none.
        rules: where images may lie.

    Raises:
        FreedaError: as the server says; nothing was accepted then.
    """
    images: dict[int, Upload] = {}
    names: set[str] = set()
    listed = []
    for number, one in enumerate(marked):
        image = images.get(id(one.image))
        if image is None:
            name = _plain_name(one.image.name)
            name = name if name not in names else f"{number}/{name}"
            names.add(name)
            images[id(one.image)] = image = Upload(name, one.image.content)
        shown = {"image": image.name, "mask": f"{number}.png", "noun": one.noun, "caption": one.caption}
        listed.append({field: value for field, value in shown.items() if value})
    masks = [Upload(f"{number}.png", one.mask.content) for number, one in enumerate(marked)]
    asked = {**request, "exemplars": listed}
    sent = list(images.values())
    return _submit(
        connection, EXEMPLARS, asked, lambda: [*parts_of(sent, "image", rules), *parts_of(masks, "mask")], key
    )


def marked_parts(server: Pages, marked: Sequence[MarkedUpload]) -> list[Sequence[MarkedUpload]]:
    """Cut images with masks into parts that a server takes; few of them are one part, and nothing is asked."""
    texts = [len(json.dumps([one.noun, one.caption]).encode()) + TEXT_BYTES for one in marked]
    sizes = [
        size_of(one.image.content) + size_of(one.mask.content) + PART_BYTES + text
        for one, text in zip(marked, texts, strict=True)
    ]
    if len(marked) <= FEW_IMAGES and sum(sizes) <= FEW_BYTES:
        return [marked]
    limits = request_limits(server)
    most = min(limits.images, max(1, MOST_FIELD_BYTES // max(texts)))
    return cut_parts(marked, sizes, most=most, most_bytes=limits.bytes)


def _plain_name(name: str) -> str:
    """Return a file's name as it stays the same in a form, which writes some characters otherwise."""
    is_plain = name.isprintable() and name == name.strip() and len(name.encode()) <= LONGEST_NAME
    return name if is_plain and not _CHANGED & set(name) else "image"


def _submit(
    connection: Connection,
    path: str,
    request: Mapping[str, Any],
    parts: Callable[[], list[Part]],
    key: str,
    *,
    wait: float = 0.0,
) -> dict[str, Any]:
    _check_size(connection, parts())
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


def _check_size(connection: Connection, parts: Iterable[Part]) -> None:
    """See that a request is not too large; a server would close the connection in the middle of it.

    Raises:
        InputError: it is.
    """
    size = sum(len(sent) if isinstance(sent, bytes) else sent.seek(0, SEEK_END) for _, (_, sent, _) in parts)
    if size <= FEW_BYTES:
        return
    most = request_limits(Pages(connection)).bytes
    if size > most:
        raise InputError(
            f"{size:,} bytes are more than {connection.address} takes at once, {most:,}: send fewer or smaller files"
        )
