import os
import subprocess
import sys
from pathlib import Path

import scipy.ndimage  # noqa: F401 (a library of models in this process)
from PIL import Image

import freeda_svc.torchvision_operators  # noqa: F401 (before the model libraries)

# isort: split
from benchmarks.memory import SIZES, paint
from benchmarks.memory_load.processes import Memory, memory_by_role, memory_of, model_libraries, processes_below
from benchmarks.memory_load.published_pack import manifest
from freeda_svc.packs import read_pack_parameters, read_recipe

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()", "billiard.spawn"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
child.communicate(b"\\n")
"""


def test_memory_is_that_of_every_process_by_role() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert list(processes_below(parent.pid)) == [parent.pid, child]
        taken = memory_by_role(parent.pid)
        assert set(taken) == {"supervisor", "worker"}
        assert all(1 < memory.own < memory.proportional < 100 for memory in taken.values())
        assert model_libraries(parent.pid) == set()
        parent.communicate(b"\n")


def test_memory_adds_up() -> None:
    assert sum([Memory(3.0, 1.0), Memory(4.0, 2.0)], Memory()) == Memory(7.0, 3.0)
    assert memory_of(os.getpid()).own > 10
    assert "scipy" in model_libraries(os.getpid())


def test_pictures_have_mixed_sizes_and_differ(tmp_path: Path) -> None:
    paint(tmp_path, SIZES, 7, first=2)
    sizes = []
    for path in sorted(tmp_path.iterdir()):
        with Image.open(path) as picture:
            sizes.append(picture.size)
    assert sizes == [SIZES[number % len(SIZES)] for number in range(2, 9)]
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 7


def test_the_large_pack_segments_as_the_recipe_says(tmp_path: Path) -> None:
    (tmp_path / "pack.toml").write_text(
        manifest({f"{part}/x": "0" * 64 for part in ("generator", "backbone", "image_text")})
    )
    described, recipe = read_pack_parameters(str(tmp_path)).parameters, read_recipe("freeda-vit-b").parameters
    assert described.segmentation == recipe.segmentation
    assert (described.backbone_size, described.image_text_size) == (recipe.backbone_size, recipe.image_text_size)
