"""Every example of docs/library.md runs, in order, on the miniature pack."""

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def test_the_examples_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixels: npt.NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREEDA_DEVICE", "cpu")
    (tmp_path / "photos").mkdir()
    for name in ("photo.png", "photos/one.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "library.md").read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/library.md, example {number + 1}", "exec"), names)
        if "added" in names and number == 0:
            assert f"{names['bank'].nouns()}" in block
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")) == [
        "coco.json",
        "coco.results.json",
        "photo.mask.png",
        "photo.overlay.png",
    ]
    assert [image["file_name"] for image in names["coco"]["images"]] == ["photo.png"]
    assert json.dumps(names["coco"])
    assert (tmp_path / "masks" / "one.mask.png").is_file()
    assert sorted(path.name for path in (tmp_path / "why").iterdir()) == ["photo.evidence.html", "photo.evidence.json"]
    shown = capsys.readouterr().out
    assert "a red boat under a blue sky" in shown
    assert "categories are a list of texts" in shown
