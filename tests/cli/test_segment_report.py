"""What is printed of images that were segmented."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from freeda_svc.batches import find_images
from freeda_svc.cli.segment_report import print_outcome, show_problems
from freeda_svc.cli.segment_run import Outcome
from freeda_svc.errors import InputError
from freeda_svc.jobs.resumption import Plan


def test_a_folder_whose_files_are_in_no_known_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "1.heic.part").write_text("")
    with pytest.raises(InputError) as caught:
        show_problems(find_images([tmp_path]))
    assert str(caught.value) == (
        f"the folder {tmp_path} has no images; passed over, no images that are read here: 1 .part"
    )


def test_a_small_area_is_never_shown_as_zero(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_what_is_left_out_is_named_on_one_line_without_its_escape_sequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "a\x1b[2J\nb.png").write_text("no picture")
    show_problems(find_images([tmp_path]))
    (line,) = capsys.readouterr().err.splitlines()
    assert "a\\x1b[2J\\nb.png is not an image in a known format" in line
