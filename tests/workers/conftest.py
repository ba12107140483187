import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.settings import Settings, load_settings, prepare_home
from workers.broker import stop_broker


@pytest.fixture
def make_settings(tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Settings of a home of its own, quick to notice trouble; its broker is stopped afterwards."""
    made: list[Settings] = []

    def make(**given: Any) -> Settings:  # noqa: ANN401 - settings
        quick = {"home": tmp_path / "home", "captions_per_item": 1, "reconcile_seconds": 0.3, "lease_seconds": 5}
        settings = load_settings(**{"database_url": "", "broker_url": "", **quick, **given})
        prepare_home(settings)
        made.append(settings)
        return settings

    yield make
    for settings in made:
        stop_broker(settings)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


DESCRIBED_PACK = """
name = "described"
version = "1"
description = "A pack that is described but has no weights."

[parameters]
backbone_size = 64
image_text_size = 64
generation = { steps = 2, guidance_scale = 4.0, height = 64, width = 64, batch_size = 4 }
prototypes = { gamma = 0.45, alpha = 0.9 }

[parameters.segmentation]
k = 5
beta = 0.8
short_side = 64
long_side = 256
window = 64
stride = 32
superpixels = { algorithm = "felzenszwalb", scale = 20.0, sigma = 0.5, min_size = 8 }

[sources]
generator = { description = "none", licence = "Apache-2.0", origin = "tests" }
backbone = { description = "none", licence = "Apache-2.0", origin = "tests" }
image_text = { description = "none", licence = "Apache-2.0", origin = "tests" }

[files]
"""


@pytest.fixture
def described_pack(tmp_path: Path) -> str:
    """A pack that jobs can be submitted for; its items fail at once, before any model library is imported."""
    folder = tmp_path / "described-pack"
    folder.mkdir()
    files = "\n".join(f'"{part}/weights" = "{"0" * 64}"' for part in ("generator", "backbone", "image_text"))
    (folder / "pack.toml").write_text(DESCRIBED_PACK + files)
    return str(folder)


@pytest.fixture(scope="session")
def captions() -> Callable[..., list[Caption]]:
    def make(count: int, thing: str = "dog") -> list[Caption]:
        made = [make_caption(f"a {thing} number {number} beside a tree") for number in range(count)]
        return [caption for caption in made if caption is not None]

    return make


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something is so."""

    def wait(is_so: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    def look(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return state != "Z"

    return look
