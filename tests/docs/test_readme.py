"""README's commands work when they are typed in order, and its example of the library runs."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.demo.samples import write_samples
from tests.docs.conftest import shorten_samples
from tests.docs.terminal import ROOT, Terminal, indented_commands
from tests.free_ports import free_port

pytestmark = pytest.mark.end_to_end


def test_every_line_of_use_it_works_in_order(terminal: Terminal) -> None:
    commands = indented_commands(ROOT / "README.md", "## Use it")
    assert {"freeda up", "freeda top"} <= {command.partition("  ")[0] for command in commands}
    assert len(commands) > 20
    out: dict[str, str] = {}
    port = free_port()
    terminal.variables["FREEDA_API_PORT"] = str(port)
    for command in commands:
        out[command.partition("  ")[0]] = terminal.type(command, answer="y\n")
        if command.startswith("freeda samples"):
            shorten_samples(terminal.folder)

    assert (terminal.folder.name, len(list((terminal.folder / "masks").glob("*.mask.png")))) == ("samples", 4)
    boats = np.asarray(Image.open(terminal.folder / "boats" / "scene-00.mask.png"))
    assert set(np.unique(boats)) <= {0, 1}  # boat and background
    assert list((terminal.folder / "proposed").glob("*.evidence.html"))
    assert "sky" in out["freeda bank nouns"]
    assert "segment" in out["freeda jobs list"]
    assert "1 prototype" in out["freeda bank forget --noun moon"]
    (ask,) = indented_commands(ROOT / "README.md", "### In a browser, and over HTTP")
    answer = json.loads(terminal.type(ask.replace("curl ", "curl -sS ").replace(":8470", f":{port}")))
    assert [item["state"] for item in answer["items"]] == ["done"]
    banks = terminal.type("freeda bank list")
    assert all(name in banks for name in ("default", "night", "copy"))
    assert (terminal.folder / "saved").is_dir()


def test_the_library_s_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert example is not None
    write_samples(tmp_path / "samples")
    shorten_samples(tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path / "home"))
    namespace: dict[str, Any] = {}
    exec(example[1], namespace)
    namespace["bank"].close()
    assert namespace["result"].labels.shape == (64, 64)
    assert len(list((tmp_path / "masks").glob("*.mask.png"))) == 4
    saved = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"scene-00.mask.png", "scene-00.overlay.png", "coco.json"} <= saved
