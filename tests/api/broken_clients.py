"""Clients that are slow, break off, or send what is no proper request; none of it is more than a server must bear."""

import asyncio
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice

AT_ONCE = 100
PATIENCE_SECONDS = 1.0
"""So long a client waits for an answer, or between two pieces of what it sends."""
POST = b"POST /v1/segmentations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG'
PNG = b"Content-Type: image/png\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class BrokenClient:
    """One way to behave.

    Attributes:
        pieces: what it sends, with pauses between.
        listens: whether it waits for an answer.
        resets: whether it ends the connection at once instead of closing it.
    """

    pieces: Sequence[bytes] = ()
    listens: bool = False
    resets: bool = False


WAYS: dict[str, BrokenClient] = {
    "says nothing": BrokenClient((), listens=True),
    "goes at once": BrokenClient((), resets=True),
    "ends in the first line": BrokenClient((b"GET /v1/jo",)),
    "sends headers slowly": BrokenClient((b"GET /v1/jobs HTTP/1.1\r\n", b"Host: 127.0.0.1\r\n", b"X-A: b\r\n")),
    "ends in a header": BrokenClient((b"GET /v1/jobs HTTP/1.1\r\nHost: 127",), resets=True),
    "sends no HTTP": BrokenClient((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",), listens=True),
    "half a body, then closes": BrokenClient((POST + PNG + b"Content-Length: 100000\r\n\r\n", b"\x89PNG" * 1000)),
    "half a body, then resets": BrokenClient((POST + FORM + b"Content-Length: 9999\r\n\r\n" + PART,), resets=True),
    "half a body, then waits": BrokenClient((POST + FORM + b"Content-Length: 9999\r\n\r\n" + PART,), listens=True),
    "a form without its end": BrokenClient(
        (POST + FORM + b"Content-Length: %d\r\n\r\n" % len(PART) + PART,), listens=True
    ),
    "more than it says": BrokenClient((POST + PNG + b"Content-Length: 4\r\n\r\n" + b"\x89PNG" * 50,), listens=True),
    "a length that is no number": BrokenClient((POST + PNG + b"Content-Length: many\r\n\r\n",), listens=True),
    "two lengths": BrokenClient((POST + PNG + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",), listens=True),
    "a negative length": BrokenClient((POST + PNG + b"Content-Length: -4\r\n\r\nabcd",), listens=True),
    "a chunk without its length": BrokenClient((POST + PNG + CHUNKED + b"zz\r\nabc\r\n",), listens=True),
    "chunks without their end": BrokenClient((POST + PNG + CHUNKED + b"4\r\nabcd\r\n", b"5\r\nab")),
    "a long header": BrokenClient(
        (b"GET /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 200_000,), listens=True
    ),
    "asks and does not listen": BrokenClient(
        (b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3,), resets=True
    ),
    "half of a second request": BrokenClient(
        (b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /v1",), listens=True
    ),
    "does not wait for its answer": BrokenClient((POST + PNG + b"Content-Length: 4\r\n\r\n\x89PNG",), resets=True),
}


def attack(port: int, count: int) -> None:
    """Let so many clients come, of each way equally many, a hundred at once, to 127.0.0.1 only."""
    asyncio.run(_all(port, islice(cycle(WAYS.values()), count)))


async def _all(port: int, clients: Iterator[BrokenClient]) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(client: BrokenClient) -> None:
        async with free:
            with suppress(OSError):  # who is cut off has reached what it came for
                await _behave(port, client)

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(one(client))


async def _behave(port: int, client: BrokenClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number, piece in enumerate(client.pieces):
            if number:
                await asyncio.sleep(PATIENCE_SECONDS / 4)
            writer.write(piece)
            await writer.drain()
        if client.listens:
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    finally:
        if client.resets:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), PATIENCE_SECONDS)
        writer.transport.abort()  # where the server takes nothing any more
