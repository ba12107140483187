"""A state of the code with a home and a running worker, so that two states can be measured in turns."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.queue_load.processor_time import processor_seconds

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 300.0
_CLI = "from freeda_svc.cli.main import main; main()"
CAPTIONS = "a ball on the grass\na boat on the water under the sky\na box on the sand\n"


@dataclass(frozen=True)
class State:
    """A state of the code, on the interpreter and the libraries of this process.

    Attributes:
        name: what it is called.
        tree: the folder of its files.
        home: of its service.
        port: where its API answers; the default when 0, as for states that have none.
        pack: its name, or the path of its folder.
    """

    name: str
    tree: Path
    home: Path
    port: int = 0
    pack: str = "miniature"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which Python finds this state's code, and commands its home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEDA_")}
        own = {"PYTHONPATH": str(self.tree), "FREEDA_HOME": str(self.home), "FREEDA_PACK": self.pack}
        return {**kept, **own, **({"FREEDA_API_PORT": str(self.port)} if self.port else {})}

    def command(self, *arguments: str) -> list[str]:
        """A command line of ``freeda``."""
        return [sys.executable, "-c", _CLI, *arguments]

    def python(self, code: str) -> list[str]:
        """A command line that runs code."""
        return [sys.executable, "-c", code]

    @contextmanager
    def service(self) -> "Iterator[subprocess.Popen[bytes]]":
        """Run ``freeda up``; the block begins when the worker calls itself ready."""
        process = subprocess.Popen(
            self.command("up"),
            env=self.environment,
            cwd=self.home.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not list(self.home.glob("locks/*.ready")):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the service of {self.name} does not start")
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            process.wait()

    def fill(self) -> None:
        """Make the home's bank, with a service that runs only for that."""
        self.home.mkdir(parents=True)
        captions = self.home.parent / f"{self.name}.txt"
        captions.write_text(CAPTIONS)
        with self.service():
            ingest = self.command("ingest", str(captions), "--wait")
            subprocess.run(ingest, env=self.environment, cwd=self.home.parent, check=True, capture_output=True)


def service_seconds(process: "subprocess.Popen[bytes]") -> float:
    """Processor seconds of a service so far, all its processes together."""
    return processor_seconds({"service": process.pid})["service"]


@contextmanager
def worktree_of(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out beside this one, for as long as the block lasts."""
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder), commit], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True, capture_output=True)
