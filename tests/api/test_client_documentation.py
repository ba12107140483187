"""Every Python example of docs/client.md runs, in order, against a running installation."""

import re
from pathlib import Path

import pytest
from PIL import Image

import freeda_svc
from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service

ROOT = Path(__file__).parents[2]


def test_the_examples_run_in_order(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(("photo.png", "photos/one.png", "photos/two.png")):
        Image.fromarray(paint_scene((19, number), EASY).image).save(tmp_path / name)
    text = (ROOT / "docs" / "client.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "http://127.0.0.1:8470" in blocks[0]
    names: dict[str, object] = {}
    try:
        for number, block in enumerate(blocks):
            code = block.replace("http://127.0.0.1:8470", service.address)
            exec(compile(code, f"docs/client.md, example {number + 1}", "exec"), names)
    finally:
        client = names.get("client")
        if isinstance(client, freeda_svc.Client):
            client.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")) == [
        "coco.json",
        "coco.results.json",
        "photo.mask.png",
        "photo.overlay.png",
    ]
    assert (tmp_path / "masks" / "two.mask.png").is_file()
    assert "2 of 2" in capsys.readouterr().out
