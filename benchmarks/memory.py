"""Memory of every process of ``freeda up``, beside that of an earlier commit: idle, after 100 pictures, over 2,000.

Proportional memory (PSS) counts a page that several processes share in equal parts, so that the parts add up. Both
states run one after the other, because they would share the pages of libraries. Pictures are of mixed sizes.
``python -m benchmarks.memory --pictures 10 --more 0`` tries it and writes nothing.
"""

import re
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.commands_load.states import REPOSITORY, State, worktree_of
from benchmarks.results import Result

AGAINST = "8fba4aa"
PICTURES, MORE, STEP = 100, 2000, 250
SIZES = ((64, 64), (160, 120), (320, 240), (500, 375), (96, 400))
SETTLING_SECONDS = 5.0
_CATEGORIES = "ball, box, grass, sky, sand, water"


def processes_below(process: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children = Path(f"/proc/{process}/task/{process}/children")
    found = [process]
    for child in children.read_text().split():
        found += processes_below(int(child))
    return found


def proportional_megabytes(process: int) -> float:
    """Resident memory of a process, with each shared page counted in equal parts, MB."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def role_of(process: int, top: int) -> str:
    """What a process of a service does, by its command line."""
    line = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    if process == top:
        return "supervisor"
    if "valkey" in line or "redis" in line:
        return "broker"
    if "api" in line or "serve" in line:
        return "api"
    return "worker" if "workers" in line else "other"


def measure(top: int) -> dict[str, float]:
    """Proportional memory of a service by role, MB; what several processes of a role take is added up."""
    taken: dict[str, float] = {}
    for process in processes_below(top):
        try:
            role = role_of(process, top)
            taken[role] = taken.get(role, 0.0) + proportional_megabytes(process)
        except OSError:
            continue  # it has just ended
    return taken


def paint(folder: Path, count: int, first: int = 0) -> None:
    """Write pictures of mixed sizes, each different from all others."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        width, height = SIZES[number % len(SIZES)]
        coarse = np.random.default_rng(number).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(folder / f"{number:05d}.png")


def segment(state: State, pictures: Path) -> None:
    """Segment a folder by the service of a state, and wait."""
    command = state.command("segment", str(pictures), "--categories", _CATEGORIES, "--wait")
    subprocess.run(command, env=state.environment, cwd=state.home.parent, check=True, capture_output=True)


def _measured(state: State, folder: Path, pictures: int, more: int) -> dict[str, dict[str, float]]:
    found = {}
    with state.service() as service:
        time.sleep(SETTLING_SECONDS)
        found["idle"] = measure(service.pid)
        segment(state, folder / "first")
        time.sleep(SETTLING_SECONDS)
        found[f"after_{pictures}"] = measure(service.pid)
        for done in range(STEP, more + 1, STEP):
            part = folder / f"more-{done}"
            paint(part, STEP, first=pictures + done - STEP)
            segment(state, part)
            time.sleep(SETTLING_SECONDS)
            found[f"after_{pictures + done}"] = measure(service.pid)
            click.echo(f"{state.name}: {sum(found[f'after_{pictures + done}'].values()):.0f} MB after {done} more")
    return found


def run(against: str = AGAINST, pictures: int = PICTURES, more: int = MORE) -> list[Result]:
    """Measure both states, and the growth of this one.

    Args:
        against: the earlier commit.
        pictures: how many are segmented before memory is measured again.
        more: how many are segmented afterwards, by this state.
    """
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        paint(folder / "first", pictures)
        earlier = State("earlier", stack.enter_context(worktree_of(against, folder / "tree")), folder / "home-earlier")
        now = State("now", REPOSITORY, folder / "home-now")
        for state in (earlier, now):
            state.fill()
        before = _measured(earlier, folder, pictures, 0)
        found = _measured(now, folder, pictures, more)
    results = []
    for moment, taken in found.items():
        for role, megabytes in sorted(taken.items()):
            results.append(Result(f"{moment}_{role}_mb", megabytes, "MB"))
        whole = sum(taken.values())
        if moment in before:
            was = sum(before[moment].values())
            results.append(Result(f"{moment}_whole_mb", whole, "MB", f"commit {against} in the same run", whole / was))
        else:
            results.append(Result(f"{moment}_whole_mb", whole, "MB"))
    first, last = (sum(found[moment].values()) for moment in (f"after_{pictures}", list(found)[-1]))
    results.append(Result("growth_over_pictures", last, "MB", f"after {pictures} pictures", last / first))
    return results


@click.command()
@click.option("--against", default=AGAINST, show_default=True, help="The earlier commit.")
@click.option("--pictures", default=PICTURES, show_default=True)
@click.option("--more", default=0, show_default=True)
def _try(against: str, pictures: int, more: int) -> None:
    """Measure memory and print the results without writing them."""
    for result in run(against, pictures, more):
        ratio = "" if result.ratio is None else f"   {result.ratio:.2f} of {result.against}"
        click.echo(f"  {result.name:45s} {result.value:12.1f} {result.unit}{ratio}")


if __name__ == "__main__":
    _try()
