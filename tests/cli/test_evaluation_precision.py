from collections.abc import Callable
from typing import Any

import pytest

from freeda_svc import evaluation
from freeda_svc.evaluation import Agreement

Freeda = Callable[..., Any]


def test_masks_of_another_runtime_are_compared(freeda: Freeda) -> None:
    ran = freeda("eval", "precision", "--runtime", "openvino", "--precision", "float32", "--scenes", 2, "--json")
    assert (ran.code, ran.json["precision"], ran.json["runtime"], ran.json["scenes"]) == (0, "float32", "openvino", 2)
    assert ran.json["agrees"] is True
    assert ran.json["equal_labels"] > 0.99


def test_masks_that_differ_end_it_with_an_error(freeda: Freeda, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(*given: object) -> Agreement:
        asked.append(given[:3])
        return Agreement(7, 0.951, 0.741, 0.75, 1.0, 2.0)

    monkeypatch.setattr(evaluation, "measure_agreement", measured, raising=False)
    monkeypatch.setenv("FREEDA_PRECISION", "bfloat16")
    ran = freeda("eval", "precision", "--quiet", "--scenes", 7)
    assert asked == [("bfloat16", "torch", 7)]
    assert ran.code == 1
    assert "95.10 % of the pixels" in ran.out
    assert ran.err == ("Error: mean IoU differs by 0.90 points, more than 0.3: use float32 on this machine\n")
