"""A training that is stopped and resumed gives the weights of one that never stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from freeda_svc.miniature.training import loop
from freeda_svc.miniature.training.loop import Schedule, StepFunction, Training


def _step_function(model: nn.Linear, fail_at: int | None = None) -> StepFunction:
    calls = 0

    def step(rng: np.random.Generator) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == fail_at:
            raise InterruptedError
        inputs = torch.from_numpy(rng.normal(size=(8, 4)).astype(np.float32))
        noise = 0.1 * torch.randn(8, 1)
        return (model(inputs) - inputs.sum(dim=1, keepdim=True) + noise).square().mean()

    return step


def _train(folder: Path, fail_at: int | None = None) -> nn.Linear:
    torch.manual_seed(7)
    model = nn.Linear(4, 1)
    training = Training("line", model, Schedule(steps=30, learning_rate=0.05, warmup=3, average_decay=0.9), folder)
    training.run(_step_function(model, fail_at), save_every=10)
    return model


def test_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = _train(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        _train(tmp_path / "parts", fail_at=17)
    resumed = _train(tmp_path / "parts")
    for expected, actual in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(expected, actual)


def test_finished_training_is_read_not_repeated(tmp_path: Path) -> None:
    first = _train(tmp_path)
    again = _train(tmp_path, fail_at=1)
    assert torch.equal(first.weight, again.weight)


def test_loss_falls_and_the_curve_is_kept(tmp_path: Path) -> None:
    _train(tmp_path)
    curve = json.loads((tmp_path / "line.curve.json").read_text())
    assert [point["step"] for point in curve] == [10, 20, 30]
    assert curve[-1]["loss"] < 0.5 * curve[0]["loss"]


@pytest.mark.parametrize("part", ["write_whole", "placed_whole"])
def test_a_curve_is_whole_where_the_last_checkpoint_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    write, calls = getattr(loop, part), 0

    def write_twice(*given: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise InterruptedError
        return write(*given)

    with monkeypatch.context() as patch:
        patch.setattr(loop, part, write_twice)
        with pytest.raises(InterruptedError):
            _train(tmp_path)
    _train(tmp_path)
    curve = json.loads((tmp_path / "line.curve.json").read_text())
    assert [point["step"] for point in curve] == [10, 20, 30]


def test_rate_warms_up_and_falls() -> None:
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=10)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] >= 0.05
