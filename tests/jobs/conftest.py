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
def database(request: pytest.FixtureRequest) -> str:
    """The embedded database, or a new one on a PostgreSQL server."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def settings(tmp_path: Path, described_pack: str, database: str) -> Settings:
    return load_settings(
        home=tmp_path / "home",
        pack=described_pack,
        captions_per_item=2,
        max_attempts=2,
        database_url=database,
        broker_url="",
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
