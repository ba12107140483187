import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

CHILD = """
import os, signal, sys, time
from freeda_svc.workers.parents import end_with_parent, stop_with_parent
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if sys.argv[1] == "stop":
    stop_with_parent(int(sys.argv[2]))
else:
    end_with_parent(lambda: os._exit(0))
print(os.getpid(), flush=True)
time.sleep(600)
"""
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2], str(os.getpid())])
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["stop", "end"])
def test_a_process_does_not_outlive_its_parent(
    how: str, eventually: Callable[..., None], is_alive: Callable[[int], bool]
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD, how], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        os.kill(parent.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(child))


def test_a_process_whose_parent_is_gone_already_ends_at_once() -> None:
    code = (
        "import os, time; from freeda_svc.workers.parents import end_with_parent\n"
        "end_with_parent(lambda: os._exit(7), 1)\n"
        "time.sleep(600)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 7
