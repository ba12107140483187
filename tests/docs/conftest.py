from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.terminal import Terminal

CAPTIONS = 10


def shorten_samples(folder: Path) -> None:
    """Few captions are enough to see that commands work; masks are not good with them."""
    for name, count in (("captions.txt", CAPTIONS), ("moon.txt", 2)):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:count]))
    for photo in sorted((folder / "photos").iterdir())[4:]:
        photo.unlink()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, tmp_path / "home")
    yield opened
    opened.end()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal in the folder of samples, while `freeda up` runs on a home whose bank knows their captions."""
    folder = tmp_path_factory.mktemp("service")
    opened = Terminal(folder, folder / "home")
    try:
        opened.type("freeda samples && cd samples")
        shorten_samples(opened.folder)
        opened.type("freeda up")
        opened.type("freeda ingest captions.txt --wait")
        yield opened
    finally:
        opened.end()
