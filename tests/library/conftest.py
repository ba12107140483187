"""A bank that the miniature pack has filled once for all tests of this folder, and an image of its world."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import freeda_svc
from freeda_svc.miniature.scenes import EASY, paint_scene

CAPTIONS = [
    "a boat on the water",
    "a red boat under a blue sky",
    "a house on the grass",
]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Named banks of a test lie in a home of its own."""
    home = tmp_path / "home"
    monkeypatch.setenv("FREEDA_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bank with the prototypes of `CAPTIONS`; copy it before you change it."""
    folder = tmp_path_factory.mktemp("filled") / "bank"
    with freeda_svc.open_bank(folder, "miniature", device="cpu") as bank:
        bank.add_captions(CAPTIONS, progress=False)
    return folder


@pytest.fixture
def filled_bank(filled_folder: Path) -> Iterator[freeda_svc.Bank]:
    """That bank, open; change nothing in it."""
    with freeda_svc.open_bank(filled_folder, "miniature", device="cpu") as bank:
        yield bank


@pytest.fixture
def segmenter(filled_bank: freeda_svc.Bank) -> freeda_svc.Segmenter:
    return freeda_svc.Segmenter(filled_bank)


@pytest.fixture(scope="session")
def pixels() -> npt.NDArray[np.uint8]:
    """(40, 56, 3): part of a painted scene with a boat."""
    return paint_scene((7, 1), EASY, thing="boat").image[12:52, 4:60].copy()


@pytest.fixture
def photo(tmp_path: Path, pixels: npt.NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path
