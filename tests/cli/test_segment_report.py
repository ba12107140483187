"""What is printed of images that were segmented."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from freeda_svc.cli.segment_plan import Plan
from freeda_svc.cli.segment_report import print_outcome
from freeda_svc.cli.segment_run import Outcome


def test_what_is_there_is_never_told_as_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    shares = {"sky": 0.98, "ball": 0.004, "cat": 0.006}
    summary = {
        "categories": [{"name": name, "area_share": share, "absent": False} for name, share in shares.items()],
        "unknown_share": 0.0049,
        "transparent_share": 0.0001,
    }
    done = (SimpleNamespace(name="a.png"), SimpleNamespace(result=SimpleNamespace(summary=summary)))
    print_outcome(Plan([], [], []), Outcome(done=[cast("Any", done)]), None)
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split(maxsplit=1) == ["a.png", "sky 98%, cat 1%, unknown (<1% transparent) <1%, ball <1%"]
