"""What people wait for at a command, beside the same command of an earlier commit, in turns on the same libraries.

Each state has a home with a small bank on the miniature pack and a running, warm worker. The machine may be shared, so
wall-clock time stands beside processor time and, where valgrind is there, the number of instructions, which does not
depend on what else runs; ``others_share`` tells how much of the processors others used meanwhile.
``python -m benchmarks.commands --against COMMIT --rounds 1`` tries it and writes nothing.
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.api_load.serving import free_port
from benchmarks.commands_load.measured import Run, busy_seconds, instructions
from benchmarks.commands_load.measured import run as run_command
from benchmarks.commands_load.states import REPOSITORY, State, service_seconds, worktree_of
from benchmarks.results import Result

AGAINST = "38ea7db"
EARLIER = "earlier"
ROUNDS = 5
STARTS = 3
LIBRARY = (
    "from freeda_svc import bank; {store}; from freeda_svc.packs import load_pack; "
    "from freeda_svc.segmentation import Segmenter, parse_categories"
)
STORES = ("bank.open_folder", "bank.EmbeddedStore")
"""What opens a bank, now and earlier."""
_SEGMENT = ("segment", "one.png", "--categories", "ball, sky, grass", "--out", "masks", "--wait")
MEASURED: dict[str, Callable[[State], list[str]]] = {
    "jobs_list": lambda state: state.command("jobs", "list"),
    "bank_list": lambda state: state.command("bank", "list"),
    "bank_search": lambda state: state.command("bank", "search", "ball"),
    "doctor": lambda state: state.command("doctor"),
    "segment_wait": lambda state: state.command(*_SEGMENT),
    "import_freeda_svc": lambda state: state.python("import freeda_svc"),
    "import_library": lambda state: state.python(LIBRARY.format(store=STORES[state.name == EARLIER])),
}
COUNTED = ("jobs_list", "bank_list", "bank_search", "segment_wait", "import_freeda_svc")
"""Those of which valgrind can count the instructions in reasonable time."""


def run(against: str = AGAINST, rounds: int = ROUNDS, starts: int = STARTS) -> list[Result]:
    """Measure everything.

    Args:
        against: the earlier commit.
        rounds: how often each command is run in each state.
        starts: how often the service is started for its first two requests.
    """
    busy, own, began = busy_seconds(), _own_seconds(), time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        paint(folder / "one.png")
        earlier = State(EARLIER, stack.enter_context(worktree_of(against, folder / "tree")), folder / "home-earlier")
        now = State("now", REPOSITORY, folder / "home-now", free_port())
        for state in (earlier, now):
            state.fill()
        results = _first_requests(now, folder, starts)
        services = [stack.enter_context(state.service()) for state in (earlier, now)]
        for state in (earlier, now):
            _request(state, folder)
        for name, command in MEASURED.items():
            found = _compared(name, [(state, command(state)) for state in (earlier, now)], folder, rounds)
            results += [replace(result, against=f"commit {against} in the same run") for result in found]
        served = sum(map(service_seconds, services))
    possible = (time.perf_counter() - began) * (os.cpu_count() or 1)
    others = busy_seconds() - busy - (_own_seconds() - own) - served
    return [*results, Result("others_share", max(0.0, others) / possible, "of all processors")]


def _compared(name: str, commands: Sequence[tuple[State, list[str]]], folder: Path, rounds: int) -> list[Result]:
    """Measure the commands of the earlier state and of this one."""
    runs: list[list[Run]] = [[] for _ in commands]
    for _ in range(rounds):
        for (state, command), ran in zip(commands, runs, strict=True):  # in turns, so that both see the machine alike
            _forget(folder)
            ran.append(run_command(command, state.environment, folder))
    results = []
    for kind in ("wall", "processor"):
        was, is_now = (statistics.median(getattr(one, kind) for one in ran) for ran in runs)
        results.append(Result(f"{name}_{kind}_seconds", is_now, "s", "", is_now / was))
    if name in COUNTED:
        counts = []
        for state, command in commands:
            _forget(folder)
            counts.append(instructions(command, state.environment, folder))
        was_counted, counted = counts
        if was_counted and counted:
            results.append(Result(f"{name}_instructions", counted, "million", "", counted / was_counted))
    click.echo(f"{name}: {', '.join(f'{result.value:.2f} {result.unit} ({result.ratio:.2f})' for result in results)}")
    return results


def _first_requests(state: State, folder: Path, starts: int) -> list[Result]:
    """How long the first request takes when the worker calls itself ready, beside the second."""
    pairs: list[tuple[Run, Run]] = []
    for _ in range(starts):
        with state.service() as service:
            pairs.append((_request(state, folder, service), _request(state, folder, service)))
    results = []
    for kind in ("wall", "processor"):
        first, second = (statistics.median(getattr(pair[index], kind) for pair in pairs) for index in (0, 1))
        ratio = statistics.median(getattr(pair[0], kind) / getattr(pair[1], kind) for pair in pairs)
        results += [
            Result(f"second_request_{kind}_seconds", second, "s"),
            Result(f"first_request_{kind}_seconds", first, "s", "the second one", ratio),
        ]
    return results


def _request(state: State, folder: Path, service: "subprocess.Popen[bytes] | None" = None) -> Run:
    """Segment the picture; processor time is that of command and service together, where one is given."""
    _forget(folder)
    before = 0.0 if service is None else service_seconds(service)
    ran = run_command(state.command(*_SEGMENT), state.environment, folder)
    return Run(ran.wall, ran.processor + (0.0 if service is None else service_seconds(service) - before))


def _forget(folder: Path) -> None:
    """Remove what the last command wrote."""
    for file in sorted((folder / "masks").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()


def paint(path: Path) -> None:
    """Write a picture of 64 x 64 pixels: sky, grass and a ball."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:32], picture[32:], picture[36:52, 20:40] = (90, 160, 230), (60, 150, 60), (200, 40, 40)
    noise = np.random.default_rng(0).integers(-8, 9, picture.shape)
    Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8)).save(path)


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@click.command()
@click.option("--against", default=AGAINST, show_default=True, help="The earlier commit.")
@click.option("--rounds", default=1, show_default=True, help="How often each command is run.")
@click.option("--starts", default=1, show_default=True, help="How often the service is started.")
def _try(against: str, rounds: int, starts: int) -> None:
    """Measure commands and print the results without writing them."""
    for result in run(against, rounds, starts):
        ratio = "" if result.ratio is None else f"   {result.ratio:.2f}"
        click.echo(f"  {result.name:45s} {result.value:12.3f} {result.unit}{ratio}")


if __name__ == "__main__":
    _try()
