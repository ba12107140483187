"""With `input_roots`, no command takes a file from elsewhere, whatever it is for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.jobs import list_jobs
from freeda_svc.settings import load_settings

Freeda = Callable[..., Any]
SQUARE = [1, 1, 5, 1, 5, 5, 1, 5]


@pytest.fixture
def folders(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that files may be taken from, and the same files outside of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREEDA_INPUT_ROOTS", str(tmp_path / "in"))
    for name in ("in", "out"):
        folder = tmp_path / name
        folder.mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / "a.png")
        Image.fromarray((np.eye(8) * 255).astype(np.uint8)).save(folder / "mask.png")
        (folder / "captions.txt").write_text("a boat on the water\n")
        (folder / "list.txt").write_text("in/a.png\n")
        rows = {
            "images": [{"id": 1, "file_name": "link.png", "width": 8, "height": 8}],
            "categories": [{"id": 1, "name": "moon"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [SQUARE]}],
        }
        (folder / "marks.json").write_text(json.dumps(rows))
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "out" / "a.png")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ("segment out/a.png -c moon", "out/a.png"),
        ("segment in/link.png -c moon", "in/link.png"),
        ("segment out -c moon", "out"),
        ("segment --list out/list.txt -c moon", "out/list.txt"),
        ("ingest out/captions.txt", "out/captions.txt"),
        ("bank add-exemplars --noun moon --image out/a.png --mask in/mask.png", "out/a.png"),
        ("bank add-exemplars --noun moon --image in/link.png --mask in/mask.png", "in/link.png"),
        ("bank add-exemplars --noun moon --image in/a.png --mask out/mask.png", "out/mask.png"),
        ("bank add-exemplars --annotations out/marks.json --folder in", "out/marks.json"),
        ("bank add-exemplars --annotations in/marks.json --folder in", "in/link.png"),
        ("bank import out", "out"),
        ("bank import --from-faiss out/a.png --prototypes in", "out/a.png"),
        ("bank import --from-faiss in/a.png --prototypes out", "out"),
    ],
)
def test_a_file_from_elsewhere_is_refused_and_nothing_accepted(
    freeda: Freeda, home: Path, folders: Path, arguments: str, refused: str
) -> None:
    ran = freeda(*arguments.split())
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].endswith(
        f"{refused} lies outside of {folders / 'in'}; copy it there, or change the setting input_roots"
    )
    assert not home.exists() or list_jobs(load_settings(home=home)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "segment in/a.png -c moon",
        "segment --list in/list.txt -c moon",
        "ingest in/captions.txt",
        "bank add-exemplars --noun moon --image in/a.png --mask in/mask.png",
    ],
)
def test_files_from_inside_are_taken(freeda: Freeda, home: Path, folders: Path, arguments: str) -> None:
    ran = freeda(*arguments.split())
    assert ran.code == 0, ran.err
    assert len(list_jobs(load_settings(home=home))) == 1
