"""Memory of every process of ``freeda up``, beside that of an earlier commit: idle, after 100 pictures, over 2,000.

With the miniature pack, and with DINOv2 B/14 and CLIP B/16 in random weights. Proportional memory (PSS) counts a page
that several processes share in equal parts, so that the parts add up. Both states run one after the other, because they
would share the pages of libraries; anything else that uses these libraries on the machine shares them as well, so
what is no file's is given besides. Pictures are of mixed sizes; those for the large encoders are of one or two windows.
``python -m benchmarks.memory --pictures 10 --more 0`` tries it and writes nothing.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.api_load.serving import free_port
from benchmarks.commands_load.states import REPOSITORY, State, worktree_of
from benchmarks.memory_load.processes import Memory, memory_by_role, model_libraries
from benchmarks.results import Result

AGAINST = "38ea7db"
PICTURES, MORE, STEP = 100, 2000, 250
SIZES = ((64, 64), (160, 120), (320, 240), (500, 375), (1600, 1200), (96, 400))
SETTLING_SECONDS = 5.0
IDLE = "idle"
WRITES_PACK = "benchmarks.memory_load.published_pack"
PACKS = MINIATURE, PUBLISHED = "miniature", "vit_b"
_CATEGORIES = "ball, box, grass, sky, sand, water"


@dataclass(frozen=True)
class Load:
    """What a service works on.

    Attributes:
        name: begins the names of results.
        pack: its name, or the path of its folder.
        sizes: width and height of the pictures, in turns.
        pictures: how many are segmented before memory is measured again.
        more: how many are segmented afterwards, by this state only.
    """

    name: str
    pack: str
    sizes: Sequence[tuple[int, int]]
    pictures: int
    more: int


@dataclass(frozen=True)
class Measured:
    """Memory of a service.

    Attributes:
        moments: by when it was measured, and by role.
        libraries: of models that the supervisor has in memory.
    """

    moments: Mapping[str, Mapping[str, Memory]]
    libraries: frozenset[str]


def paint(folder: Path, sizes: Sequence[tuple[int, int]], count: int, first: int = 0) -> None:
    """Write pictures of mixed sizes, each different from all others."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        width, height = sizes[number % len(sizes)]
        coarse = np.random.default_rng(number).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(folder / f"{number:05d}.png")


def segment(state: State, pictures: Path) -> None:
    """Segment a folder by the service of a state, and wait."""
    command = state.command("segment", str(pictures), "--categories", _CATEGORIES, "--out", "masks", "--wait")
    subprocess.run(command, env=state.environment, cwd=pictures.parent, check=True, capture_output=True)


def measure(state: State, load: Load, folder: Path) -> Measured:
    """Run a service on a load, and measure its memory on the way."""
    moments: dict[str, dict[str, Memory]] = {}

    def note(moment: str) -> None:
        time.sleep(SETTLING_SECONDS)
        moments[moment] = memory_by_role(service.pid)
        click.echo(f"{load.name} {state.name} {moment}: {_whole(moments[moment]).proportional:.0f} MB")

    with state.service() as service:
        note(IDLE)
        paint(folder / "first", load.sizes, load.pictures)
        segment(state, folder / "first")
        note(_after(load.pictures))
        for done in range(STEP, load.more + 1, STEP):
            part = folder / f"more-{done}"
            paint(part, load.sizes, STEP, first=load.pictures + done - STEP)
            segment(state, part)
            note(_after(load.pictures + done))
        return Measured(moments, frozenset(model_libraries(service.pid)))


def _after(pictures: int) -> str:
    return f"after_{pictures}"


def _whole(taken: Mapping[str, Memory]) -> Memory:
    return sum(taken.values(), Memory())


def _compared(load: Load, against: str, before: Measured, found: Measured) -> list[Result]:
    results = []
    for moment, taken in found.moments.items():
        named = f"{load.name}_{moment}"
        results += [Result(f"{named}_{role}_mb", memory.proportional, "MB") for role, memory in sorted(taken.items())]
        whole = _whole(taken)
        if moment not in before.moments:
            results.append(Result(f"{named}_whole_mb", whole.proportional, "MB"))
            continue
        was, beside = _whole(before.moments[moment]), f"commit {against} in the same run"
        results += [
            Result(f"{named}_whole_mb", whole.proportional, "MB", beside, whole.proportional / was.proportional),
            Result(f"{named}_whole_without_files_mb", whole.own, "MB", beside, whole.own / was.own),
        ]
    if load.more:
        first, last = (_whole(found.moments[moment]) for moment in (_after(load.pictures), list(found.moments)[-1]))
        share = last.proportional / first.proportional
        beside = f"after {load.pictures} pictures"
        results.append(Result(f"{load.name}_growth", last.proportional, "MB", beside, share))
    libraries = len(found.libraries)
    return [*results, Result(f"{load.name}_supervisor_model_libraries", libraries, "libraries")]


def run(
    against: str = AGAINST, pictures: int = PICTURES, more: int = MORE, packs: Collection[str] = PACKS
) -> list[Result]:
    """Measure both states, and the growth of this one.

    Args:
        against: the earlier commit.
        pictures: how many are segmented before memory is measured again.
        more: how many are segmented afterwards with the miniature pack, by this state.
        packs: which of ``PACKS`` are measured.
    """
    results = []
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        tree = stack.enter_context(worktree_of(against, folder / "tree"))
        for pack in packs:
            load = Load(MINIATURE, MINIATURE, SIZES, pictures, more)
            if pack == PUBLISHED:
                load = Load(PUBLISHED, str(folder / "pack"), SIZES[:-1], pictures, 0)
                subprocess.run([sys.executable, "-m", WRITES_PACK, load.pack], check=True, cwd=REPOSITORY)
            found = []
            for name, code, port in (("earlier", tree, 0), ("now", REPOSITORY, free_port())):
                state = State(name, code, folder / pack / f"home-{name}", port, load.pack)
                state.fill()
                kept = load if name == "now" else replace(load, more=0)
                found.append(measure(state, kept, folder / pack / name))
            results += _compared(load, against, *found)
    return results


@click.command()
@click.option("--against", default=AGAINST, show_default=True, help="The earlier commit.")
@click.option("--pictures", default=PICTURES, show_default=True)
@click.option("--more", default=0, show_default=True)
@click.option("--pack", "packs", type=click.Choice(PACKS), multiple=True, default=[MINIATURE], show_default=True)
def _try(against: str, pictures: int, more: int, packs: Sequence[str]) -> None:
    """Measure memory and print the results without writing them."""
    for result in run(against, pictures, more, packs):
        ratio = "" if result.ratio is None else f"   {result.ratio:.2f} of {result.against}"
        click.echo(f"  {result.name:45s} {result.value:12.1f} {result.unit}{ratio}")


if __name__ == "__main__":
    _try()
