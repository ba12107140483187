"""Doing parts of a search at once.

Torch divides each operation among threads that meet at its end, and numpy's products leave threads that wait for the
next one at full speed. Both cost a search of many short operations more than they give it, most of all where other
work keeps the processor busy. Here each thread takes a large part, computes alone, and they meet once.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

_MOST_THREADS = 8
"""More would wait for memory."""


def thread_count(rows: int, least_rows: int) -> int:
    """How many threads some rows are worth: as torch may use, with at least so many rows each."""
    return max(1, min(torch.get_num_threads(), _MOST_THREADS, rows // least_rows))


def on_threads(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Do a work for each part at once, a single one on this thread; gives the results in order."""
    with on_one_thread():
        if len(parts) == 1:
            return [work(parts[0])]
        with ThreadPoolExecutor(len(parts), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, parts))


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Have torch compute on this thread alone."""
    threads = torch.get_num_threads()  # of this thread
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
