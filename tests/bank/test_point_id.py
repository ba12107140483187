from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from freeda_svc.bank import point_id
from freeda_svc.prototypes.record import Prototype


def test_the_id_never_changes(make_prototypes: Callable[..., list[Prototype]]) -> None:
    # Banks on disk depend on it: another value here makes every stored prototype a stranger.
    (prototype,) = make_prototypes(1, nouns=["café"])
    assert point_id(prototype) == "bb325cb4-b244-540a-aea2-c21adb073fe5"


@pytest.mark.parametrize("change", [{"noun": "cat"}, {"caption_id": "f" * 16}, {"seed": 7}, {"pack": "other"}])
def test_the_id_follows_what_was_made(make_prototypes: Callable[..., list[Prototype]], change: dict[str, Any]) -> None:
    (prototype,) = make_prototypes(1)
    assert point_id(replace(prototype, **change)) != point_id(prototype)


def test_the_id_follows_nothing_else(make_prototypes: Callable[..., list[Prototype]]) -> None:
    (prototype,) = make_prototypes(1)
    moved = replace(prototype, job="later", key=prototype.key * 2, vector=prototype.vector + 1, caption="", image="")
    assert point_id(moved) == point_id(prototype)
