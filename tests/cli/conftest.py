import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.cli import segment_run, worker_watch
from freeda_svc.miniature.scenes import EASY, NOUNS, Scene, paint_scene
from freeda_svc.settings import load_settings
from freeda_svc.workers import queries
from tests.cli.brightness import LEVELS, Worker
from tests.command_runner import Freeda, run_command

SCENE_COUNT = 16


def own_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEDA_")}
    return {**kept, "FREEDA_HOME": str(home), "OMP_NUM_THREADS": "1", **variables}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this test's commands, not made yet."""
    for name in [name for name in os.environ if name.startswith("FREEDA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def freeda(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Freeda:
    """Run a command in this process, as the console script does."""

    return partial(run_command, monkeypatch, capsys)


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a command as a process in a session of its own; what is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(home: Path, *arguments: object, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", *map(str, arguments)],
            env=own_environment(home, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    return [paint_scene((11, number), EASY) for number in range(SCENE_COUNT)]


def _annotations(scenes: list[Scene]) -> dict[str, Any]:
    """What the first two scenes show, as a COCO file; the second one is a crowd."""
    return {
        "images": [{"id": number, "file_name": f"scene-{number}.png"} for number in range(2)],
        "categories": [{"id": number, "name": noun} for number, noun in enumerate(NOUNS)],
        "annotations": [
            {
                "image_id": number,
                "category_id": NOUNS.index(scene.nouns[0]),
                "segmentation": [[0, 0, 64, 0, 64, 64, 0, 64]],
                "iscrowd": number,
            }
            for number, scene in enumerate(scenes[:2])
        ],
    }


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    """A folder with captions, two painted images and files that are neither. Do not write to it."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "captions.txt").write_text("".join(f"{scene.caption}\n" for scene in scenes))
    for number, scene in enumerate(scenes[:2]):
        Image.fromarray(scene.image).save(folder / f"scene-{number}.png")
    Image.fromarray(scenes[0].labels > 3).save(folder / "mask-0.png")
    Image.fromarray(np.zeros((64, 64), dtype=bool)).save(folder / "mask-empty.png")
    Image.fromarray(np.ones((64, 65), dtype=bool)).save(folder / "mask-wide.png")
    (folder / "marks.json").write_text(json.dumps(_annotations(scenes)))
    (folder / "no-image.png").write_text("a sentence\n")
    (folder / "blank.txt").write_text("\n \n")
    (folder / "empty.json").write_text('{"annotations": []}')
    (folder / "cut.json").write_text('{"annotations": [{"caption": "a b')
    (folder / "table.csv").write_text("id,title\n1,a ball on the grass\n")
    (folder / "latin.csv").write_bytes(b"caption\na caf\xe9\n")
    (folder / "long.txt").write_text("a ball " * 1500)
    (folder / "broken.txt.gz").write_bytes(gzip.compress(b"a ball\n" * 99)[:-9])
    (folder / "broken.parquet").write_bytes(b"PAR1, and no more")
    (folder / "captions.xml").write_text("<captions/>")
    return folder


@pytest.fixture
def worker(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(segment_run, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(worker_watch, "missing_worker", lambda _settings: "")
    working = Worker(load_settings(home=home))
    monkeypatch.setattr(queries, "bank_revision", lambda _settings, _bank: working.bank)
    thread = threading.Thread(target=working.run)
    thread.start()
    yield working
    working.ended = True
    thread.join()


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images in `photos`, two of them of one name; the folder above is the current one."""
    monkeypatch.chdir(tmp_path)
    for name, level in LEVELS.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), level).save(path)
    return tmp_path / "photos"
