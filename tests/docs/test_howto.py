"""The commands of docs/howto work when they are typed in order."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from freeda_svc.demo.samples import SAMPLE_SPLIT
from freeda_svc.miniature import HARD, NOUNS, paint_scene
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant.stub_server import API_KEY, StubServer
from tests.docs.conftest import shorten_samples
from tests.docs.terminal import ROOT, Terminal, fenced_commands
from tests.postgresql import PostgresServer
from tests.tcp_broker import tcp_broker

pytestmark = pytest.mark.end_to_end
HOWTO = ROOT / "docs" / "howto"


def _typed(terminal: Terminal, name: str) -> dict[str, str]:
    commands = fenced_commands(HOWTO / f"{name}.md")
    assert commands
    out = {}
    for command in commands:
        typed = command.replace("\\|", "|")
        if " ID" in command:
            [found] = terminal.json("freeda bank search house --limit 1 --json")
            typed = command.replace(" ID", f" {found['id']}")
        out[command] = terminal.type(typed)
    return out


def _labels(path: Path) -> np.ndarray:
    with Image.open(path) as mask:
        return np.asarray(mask)


def test_every_howto_is_linked_and_tested() -> None:
    readme = (ROOT / "README.md").read_text()
    names = {path.stem for path in HOWTO.glob("*.md")}
    assert names == {"label-studio", "cvat", "five-pictures", "gpu-and-laptop", "three-machines", "wrong-mask"}
    assert all(f"docs/howto/{name}.md" in readme for name in names)


def test_prelabelling_for_label_studio_works_as_written(service: Terminal) -> None:
    _typed(service, "label-studio")
    tasks = json.loads((service.folder / "tasks" / "label-studio.json").read_text())
    assert len(tasks) == len(list((service.folder / "photos").iterdir()))
    assert all(task["predictions"] for task in tasks)
    for task in tasks:
        prefix, _, name = task["data"]["image"].partition("?d=")
        assert prefix == "/data/local-files/"
        assert (service.folder / name).is_file()
    labels = ET.parse(service.folder / "tasks" / "label-studio.xml").iter("Label")
    assert [label.get("value") for label in labels] == ["boat|ship", "water", "sky", "sand", "grass"]
    assert "s3://my-bucket/" in (service.folder / "tasks-s3" / "label-studio.json").read_text()


def test_teaching_a_word_by_five_pictures_works_as_written(service: Terminal) -> None:
    out = _typed(service, "five-pictures")
    before, added, found, _after, forgotten = out.values()
    assert "moon: no prototype" in before
    assert "5 new prototypes" in added
    assert found.count("moon") >= 5
    assert "5 prototypes" in forgotten
    moon = paint_scene((SAMPLE_SPLIT, 0, 3), HARD).labels == NOUNS.index("moon")

    def iou(folder: str) -> float:
        found = _labels(service.folder / folder / "scene-03.mask.png") == 0  # its position in the list of words
        return np.count_nonzero(found & moon) / np.count_nonzero(found | moon)

    assert iou("after") > 0.6 > iou("before")


def test_building_on_a_gpu_and_using_on_a_laptop_works_as_written(service: Terminal) -> None:
    out = _typed(service, "gpu-and-laptop")
    assert "default" in out["freeda --home laptop bank list"]
    assert len(list((service.folder / "laptop-masks").glob("*.mask.png"))) == len(
        list((service.folder / "photos").iterdir())
    )
    moved = service.json("freeda --home laptop bank stats --json")["prototypes"]
    assert moved == service.json("freeda bank stats --json")["prototypes"] > 0


def test_reading_why_a_mask_is_wrong_works_as_written(service: Terminal) -> None:
    out = list(_typed(service, "wrong-mask").values())
    assert "zebra: no prototype" in out[0]
    assert (service.folder / "why" / "scene-03.evidence.html").is_file()
    assert {path.name for path in service.folder.iterdir()} >= {"beta", "dense", "refined"}


def test_running_on_three_machines_works_as_written(
    terminal: Terminal, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    terminal.type("freeda samples && cd samples")
    shorten_samples(terminal.folder)
    stub = StubServer(LocalConnection().client())
    stub.start()
    try:
        with tcp_broker(tmp_path / "broker") as broker_url:
            terminal.variables |= {
                "FREEDA_BROKER_URL": broker_url,
                "FREEDA_DATABASE_URL": postgres_server.new_database(),
                "FREEDA_QDRANT_URL": f"http://127.0.0.1:{stub.port}",
                "FREEDA_QDRANT_API_KEY": API_KEY,
                "FREEDA_ARTIFACTS": str(tmp_path / "artifacts"),
            }
            out = _typed(terminal, "three-machines")
            terminal.end()
    finally:
        stub.stop()
    assert len(list((terminal.folder / "masks").glob("*.mask.png"))) == len(
        list((terminal.folder / "photos").iterdir())
    )
    listed = out["freeda jobs list"]
    assert "ingest" in listed
    assert "segment" in listed
