"""Types the commands of a document, as a reader would, in real processes."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0
UNTIL_STOPPED = re.compile(r"freeda (--home \S+ )?(up|worker)\b")
LIVE = re.compile(r"freeda logs --follow\b")


def indented_commands(path: Path, heading: str) -> list[str]:
    """The commands in the indented blocks of a section and not of those below it."""
    section = path.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n##")[0]
    return [line.strip() for line in section.splitlines() if line.startswith(("    freeda ", "    curl "))]


def fenced_commands(path: Path) -> list[str]:
    """The commands in the blocks of a document that are fenced as ``sh``."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@dataclass
class Terminal:
    """A folder, an environment, and what runs in the background; ``folder`` follows `cd`."""

    folder: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put a `freeda` of this very interpreter on the path."""
        self._aside = self.home.parent / "terminal"
        self._aside.mkdir(parents=True, exist_ok=True)
        program = self._aside / "freeda"
        run = "from freeda_svc.cli.main import main; main()"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{run}" "$@"\n')
        program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The environment without the settings of whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEDA_")}
        own = {"PATH": f"{self._aside}:{kept['PATH']}", "FREEDA_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        return {**kept, **own, "COLUMNS": "100", "LINES": "40", **self.variables}

    def type(self, command: str, answer: str = "") -> str:
        """Run a command to its end and return what it printed; it must succeed.

        What runs until it is stopped is started and stays; what is live gets Ctrl-C once it has printed a line
        (`freeda top` is not: without a terminal it prints what it shows once).
        """
        if UNTIL_STOPPED.match(command):
            return self._start(command)
        if LIVE.match(command):
            return self._look(command)
        keyboard, screen = pty.openpty()
        os.write(keyboard, answer.encode())
        ran = subprocess.run(
            ["bash", "-c", f"set -e\n{command}\npwd > {shlex.quote(str(self._aside / 'folder'))}"],
            cwd=self.folder,
            env=self.environment,
            stdin=screen,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        os.close(keyboard)
        os.close(screen)
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
        assert "Traceback" not in ran.stderr
        self.folder = Path((self._aside / "folder").read_text().strip())
        return ran.stdout + ran.stderr

    def json(self, command: str) -> object:
        """What a command prints as JSON."""
        out = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )
        return json.loads(out.stdout)

    def _start(self, command: str) -> str:
        process, printed = self._begin(command)
        deadline = time.monotonic() + SECONDS
        while "Ready, with the pack" not in printed.read_text():
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, printed.read_text()
            time.sleep(0.05)
        return printed.read_text()

    def _look(self, command: str) -> str:
        process, printed = self._begin(command)
        deadline = time.monotonic() + SECONDS
        while "\n" not in printed.read_text():
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, f"{command} printed nothing"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
        out = printed.read_text()
        assert process.returncode == 130, out
        assert "Traceback" not in out
        return out

    def _begin(self, command: str) -> tuple["subprocess.Popen[bytes]", Path]:
        printed = self._aside / f"running-{len(self.running)}.log"
        with printed.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)
        return process, printed

    def end(self) -> None:
        """Stop what runs in the background."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self.running:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
