import json
import os
import unicodedata
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.outputs import write_collections, write_image_files
from freeda_svc.outputs.names import file_text, flat_names, plain_name
from tests.outputs.kept_results import make_picture

NAMES = st.text(st.characters(codec=None), max_size=12)


def test_what_can_be_read_stays_as_it_is() -> None:
    for name in ("dog", "собака", "🐶🦴", "👩\u200d🚀", "a & <b>", "\u200e", "e\u0301"):
        assert plain_name(name) == name


def test_what_cannot_be_seen_is_written_out() -> None:
    assert plain_name("a\x07b\n\tc\x7f\x85\u2028\ufeff\ufffe\ud800") == (r"a\x07b\n\tc\x7f\x85\u2028\ufeff\ufffe\ud800")


@settings(derandomize=True, deadline=None)
@given(NAMES)
def test_xml_yaml_and_lines_of_text_hold_plain_names(name: str) -> None:
    plain = plain_name(name)
    assert ET.fromstring(ET.tostring(ET.Element("Label", value=plain))).get("value") == plain
    assert yaml.safe_load(yaml.safe_dump({0: plain}, allow_unicode=True)) == {0: plain}
    assert len(plain.splitlines()) <= 1
    assert plain.encode().decode() == plain


@settings(derandomize=True, deadline=None)
@given(st.lists(NAMES, max_size=8))
def test_flat_names_are_plain_file_names_of_their_own(stems: list[str]) -> None:
    names = flat_names(stems)
    assert len({name.casefold() for name in names}) == len(stems)
    for name in names:
        assert name
        assert not name.startswith(".")
        assert len(name.encode()) <= 110
        assert not any(character.isspace() or character in "/\\:" for character in name)
        assert all(unicodedata.category(character)[0] not in "CZ" for character in name)


def test_folders_and_blanks_are_joined() -> None:
    assert flat_names(["a/b c", "a_b_c", "A/B C", "images/x"]) == ["a_b_c", "a_b_c-2", "A_B_C-3", "images_x"]


def test_names_of_files_need_not_be_utf_8(tmp_path: Path) -> None:
    picture = make_picture(tmp_path, np.zeros((4, 6), dtype=np.int32), ["sky"], stem=os.fsdecode(b"a/caf\xe9"))
    out = tmp_path / "out"
    write_image_files(picture, out, ["mask", "polygons"])
    write_collections([picture], out, ["coco", "label-studio", "yolo", "voc", "index"])
    polygons = json.loads((out / os.fsdecode(b"a/caf\xe9.geojson")).read_bytes())
    coco, tasks = (json.loads((out / name).read_bytes()) for name in ("coco.json", "label-studio.json"))
    written_out = r"a/caf\xe9.png"
    assert (polygons["image"]["file_name"], coco["images"][0]["file_name"]) == (written_out, written_out)
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=a/caf%E9.png"
    assert (file_text("a/café.png"), file_text(os.fsdecode(b"\xff"))) == ("a/café.png", r"\xff")
