"""Starting workers; that they work is shown by the tests of workers and of a first session."""

from collections.abc import Callable
from typing import Any

import pytest

from freeda_svc.cli.service import QUEUES
from freeda_svc.jobs import MOVES
from freeda_svc.settings import Settings
from freeda_svc.workers import app

Freeda = Callable[..., Any]


def test_every_queue_can_be_named() -> None:
    assert {*QUEUES, *MOVES} == set(app.QUEUES)  # who serves the bank serves moves, too


def test_a_worker_gets_its_queues_name_and_device(
    freeda: Freeda, home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Settings, tuple[str, ...]]] = []
    monkeypatch.setattr(
        "freeda_svc.workers.supervisor.run_worker",
        lambda settings, queues, on_ready: started.append((settings, queues)),
    )
    options = ("--queue", "segment", "--queue", "bank", "--name", "gpu-1", "--device", "cuda:1")
    assert freeda("worker", *options).code == 0
    [(settings, queues)] = started
    assert queues == ("segment", "bank")
    assert (settings.worker_name, settings.device) == ("gpu-1", "cuda:1")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("worker --queue poems", 2), ("worker --device toaster", 2), ("worker --name a/b", 2), ("worker", 1)],
)
def test_a_worker_that_cannot_start_is_refused_in_one_line(
    freeda: Freeda, home: object, arguments: str, code: int
) -> None:
    ran = freeda(*arguments.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
