"""Wrong usage exits with 2, in one line that names the option, before anything is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Freeda = Callable[..., Any]


@pytest.mark.parametrize(
    "command",
    [
        *("up --device gpu", "worker --device x", "worker --name a/b", "logs --name a/b", "--home s3://x config"),
        *("ingest {in}/captions.txt --bank A@B", "ingest {in}/captions.txt --idempotency-key " + "k" * 201),
        *("bank stats --bank A", "bank create A", "bank switch a@0", "bank drop a@b", "bank search x --limit 0"),
        *("segment {in}/scene-0.png --vocabulary voc", "segment {in}/scene-0.png -c x --background ,"),
        *("segment {in}/scene-0.png -c x --set k=many", "segment {in}/scene-0.png -c x --fill-transparent colour"),
        *("segment {in}/scene-0.png -c x --set stride=65", "segment {in}/scene-0.png -c x,X"),
        *("segment {in}/scene-0.png -c x --set nothing=1", "jobs export 0 --format bmp", "jobs list --since x"),
    ],
)
def test_wrong_values_of_options_are_wrong_usage(freeda: Freeda, inputs: Path, home: Path, command: str) -> None:
    ran = freeda(*command.replace("{in}", str(inputs)).split())
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert len(ran.err.splitlines()) == 1
    assert not home.exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("segment --home X a.png", "--home goes before the command: freeda --home DIRECTORY segment ..."),
        ("bank --home X list", "--home goes before the command: freeda --home DIRECTORY bank ..."),
        ("jobs list --home X", "--home goes before the command: freeda --home DIRECTORY jobs list ..."),
        ("jobs list --version", "--version goes before the command: freeda --version jobs list ..."),
        ("jobs list --hope X", "No such option '--hope'."),
    ],
)
def test_for_an_option_of_the_root_its_place_is_named(freeda: Freeda, command: str, told: str) -> None:
    ran = freeda(*command.split())
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {told}")
