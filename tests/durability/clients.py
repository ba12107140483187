"""Run as a program: clients that submit jobs at the same time, each a process of its own.

Who is killed is started again and submits all its jobs again, under the same keys.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import celery  # noqa: F401 - clients need it, and have it when they are forked
import qdrant_client  # noqa: F401 - as above

from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import app  # noqa: F401 - as above
from tests.durability.workload import ingest, segment


def submit(settings: Settings, client: int, captions: Sequence[int], images: Sequence[Path]) -> None:
    """Submit a job for each caption and each image of a client."""
    for number in captions:
        ingest(settings, [number], idempotency_key=f"client {client} caption {number}")
    for image in images:
        segment(settings, [image], idempotency_key=f"client {client} image {image.name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--captions", type=int, nargs=2)
    parser.add_argument("images", type=Path, nargs="*")
    arguments = parser.parse_args()
    settings, captions = load_settings(), range(*arguments.captions)

    def begin(client: int) -> int:
        process = os.fork()
        if not process:
            submit(
                settings, client, captions[client :: arguments.clients], arguments.images[client :: arguments.clients]
            )
            os._exit(0)
        return process

    clients = {begin(client): client for client in range(arguments.clients)}
    while clients:
        process, status = os.wait()
        client = clients.pop(process)
        if os.WIFSIGNALED(status):
            clients[begin(client)] = client
        elif status:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
