from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings, load_settings

MANIFEST = """
name = "described"
version = "1"
description = "A pack that is described but has no weights: accepting jobs reads no more."

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


@dataclass
class Outbox:
    """A message queue one can look into."""

    sent: list[tuple[JobKind, int]] = field(default_factory=list)
    reachable: bool = True
    keeps_messages: bool = True
    fails_while_sending: bool = False

    def check(self) -> None:
        if not self.reachable:
            raise UnavailableError("the message queue does not answer")

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        if self.fails_while_sending:
            raise UnavailableError("the message queue went away")
        if self.keeps_messages:
            self.sent += [(kind, item_id) for item_id in item_ids]
        return self.keeps_messages


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "pack"
    folder.mkdir()
    files = "\n".join(f'"{part}/weights" = "{"0" * 64}"' for part in ("generator", "backbone", "image_text"))
    (folder / "pack.toml").write_text(MANIFEST + files)
    return load_settings(
        home=tmp_path / "home", pack=str(folder), captions_per_item=2, max_attempts=2, database_url="", broker_url=""
    )


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def captions() -> Callable[[int], list[Caption]]:
    def make(count: int) -> list[Caption]:
        made = [make_caption(f"a cat number {number} on a mat") for number in range(count)]
        return [caption for caption in made if caption is not None]

    return make


@pytest.fixture
def image_file(tmp_path: Path) -> Callable[[str, int], Path]:
    def write(name: str, seed: int = 0) -> Path:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write
