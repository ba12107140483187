import ctypes
import re
import sys
import threading
from pathlib import Path

import pytest

from freeda_svc.workers.freed_memory import PauseWatch, give_back_freed_memory

SECONDS = 30.0


def test_memory_is_given_back_once_a_pause() -> None:
    given_back = threading.Semaphore(0)
    watch = PauseWatch(given_back.release, pause_seconds=0.01)
    watch.start()
    try:
        for _ in range(3):
            watch.note_work()
            assert given_back.acquire(timeout=SECONDS)
        assert not given_back.acquire(timeout=0.2)  # nothing was done since
    finally:
        watch.stop()


def test_nothing_is_given_back_while_something_is_done() -> None:
    given_back = threading.Semaphore(0)
    watch = PauseWatch(given_back.release, pause_seconds=3600.0)
    watch.start()
    watch.note_work()
    watch.note_work()
    watch.stop()  # does not wait for the pause
    assert not given_back.acquire(blocking=False)


def _own_kilobytes() -> int:
    found = re.search(r"^RssAnon:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc"
)
def test_what_was_freed_goes_back_to_the_operating_system() -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    size, count = 100_000, 400  # each too small to be given back by itself
    blocks = [library.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:  # the last one keeps the others from going back with the end of the heap
        library.free(block)
    before = _own_kilobytes()
    give_back_freed_memory()
    after = _own_kilobytes()
    library.free(blocks[-1])
    assert before - after > 0.8 * size * count / 1024
