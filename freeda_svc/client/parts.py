"""Requests that are larger than a server takes at once, cut into several."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from freeda_svc.client.pages import Pages

FEW_IMAGES, FEW_BYTES = 50, 50 << 20
"""So much is submitted without asking what a server takes at once."""
PART_BYTES, ROOM_BYTES = 1024, 1 << 20
"""What a form says beside an image, and beside all of them, bytes at most."""

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class RequestLimits:
    """What a server takes in one request.

    Attributes:
        images: how many at most.
        bytes: of all files together, with ``PART_BYTES`` for what a form says of each.
    """

    images: int
    bytes: int


def request_limits(server: Pages) -> RequestLimits:
    """Ask a server what it takes in one request."""
    limits = server.installation()
    return RequestLimits(int(limits["most_images"]), int(limits["max_body_bytes"]) - ROOM_BYTES)


def parts_for(server: Pages, entries: Sequence[Entry], sizes: Sequence[int]) -> list[Sequence[Entry]]:
    """Cut images into parts that a server takes; few of them are one part, and nothing is asked.

    Args:
        server: takes them.
        entries: the images, in order.
        sizes: of their files, bytes.
    """
    if len(entries) <= FEW_IMAGES and sum(sizes) <= FEW_BYTES:
        return [entries]
    limits = request_limits(server)
    return cut_parts(entries, sizes, most=limits.images, most_bytes=limits.bytes)


def cut_parts(entries: Sequence[Entry], sizes: Sequence[int], *, most: int, most_bytes: int) -> list[Sequence[Entry]]:
    """Cut entries into parts of so many entries and bytes at most; one that is larger by itself is a part by itself.

    Args:
        entries: in order.
        sizes: of their files, bytes.
        most: entries in a part.
        most_bytes: in a part, with ``PART_BYTES`` for what a form says of each entry.
    """
    parts: list[Sequence[Entry]] = []
    start = total = 0
    for number, size in enumerate(sizes):
        if number > start and (number - start == most or total + size + PART_BYTES > most_bytes):
            parts.append(entries[start:number])
            start, total = number, 0
        total += size + PART_BYTES
    return [*parts, entries[start:]]


def size_of(content: bytes | Path) -> int:
    """Return how many bytes a file has; 0 where it cannot be read, which sending it says."""
    if isinstance(content, bytes):
        return len(content)
    try:
        return content.stat().st_size
    except OSError:
        return 0
