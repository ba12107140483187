import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from freeda_svc.cli.main import freeda
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.packs import load_pack, read_pack_parameters, read_recipe
from freeda_svc.packs.fetching import fetch_pack

Hub = Any  # of conftest.py
WEIGHTS = "model.safetensors"


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    return tmp_path / "packs"


def fetch(recipe_file: Path, packs: Path) -> list[tuple[int, int]]:
    return list(fetch_pack(read_recipe(str(recipe_file)), packs))


def test_a_fetched_pack_works_like_any_other(hub: Hub, recipe_file: Path, packs: Path, tiny_pack_folder: Path) -> None:
    counts = fetch(recipe_file, packs)
    total = sum(path.stat().st_size for path in tiny_pack_folder.rglob("*/*") if path.is_file())
    assert counts[-1] == (total, total)
    assert counts == sorted(counts)
    by_name, by_path = load_pack("own", folder=packs), load_pack(str(recipe_file), folder=packs)
    original = load_pack(str(tiny_pack_folder))
    assert by_name.fingerprint == by_path.fingerprint == original.fingerprint
    assert by_name.description.sources["backbone"].repository == "someone/backbone"
    assert by_name.description.sources["backbone"].revision == hub.commit
    photos = torch.rand(1, 3, 64, 64)
    assert torch.equal(by_path.backbone.features(photos), original.backbone.features(photos))
    assert torch.equal(by_path.image_text.embed_texts(["a ball"]), original.image_text.embed_texts(["a ball"]))
    assert by_path.generator.parameters == original.generator.parameters
    assert sorted(path.name for path in packs.iterdir()) == ["own"]
    assert not list(packs.rglob(".*"))


def test_a_fetched_pack_needs_no_hub(hub: Hub, recipe_file: Path, packs: Path) -> None:
    fetch(recipe_file, packs)
    asked = len(hub.asked)
    code = (
        "from freeda_svc.packs import load_pack; from pathlib import Path; "
        f"pack = load_pack({str(recipe_file)!r}, folder=Path({str(packs)!r})); "
        "pack.generator, pack.backbone, pack.image_text"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert len(hub.asked) == asked


def test_a_second_fetch_asks_for_nothing(hub: Hub, recipe_file: Path, packs: Path) -> None:
    fetch(recipe_file, packs)
    asked = len(hub.asked)
    assert fetch(recipe_file, packs) == []
    assert len(hub.asked) == asked


def test_a_broken_connection_is_continued_where_it_broke(hub: Hub, recipe_file: Path, packs: Path) -> None:
    hub.cut = {WEIGHTS: [1000, 3000]}
    fetch(recipe_file, packs)
    assert hub.ranges() == ["bytes=1000-", "bytes=3000-"]
    load_pack("own", folder=packs).backbone.features(torch.rand(1, 3, 64, 64))


def test_a_fetch_that_is_cut_off_leaves_no_pack_and_is_continued(hub: Hub, recipe_file: Path, packs: Path) -> None:
    hub.cut = {WEIGHTS: [1000] * 9}
    with pytest.raises(UnavailableError, match="someone/backbone") as caught:
        fetch(recipe_file, packs)
    assert "\n" not in str(caught.value)
    assert not (packs / "own").exists()
    assert not list(packs.rglob("pack.toml"))
    with pytest.raises(
        NotFoundError, match=rf"^the pack own is not in {packs}; run: freeda packs fetch {recipe_file}$"
    ):
        load_pack(str(recipe_file), folder=packs)
    hub.cut, hub.asked = {}, []
    fetch(recipe_file, packs)
    assert hub.ranges() == ["bytes=1000-"]
    assert not [path for path in hub.downloads() if path.startswith("/someone/generator")]
    assert load_pack("own", folder=packs).backbone.dimension == 96


def test_a_fetch_that_is_stopped_in_the_middle_is_continued(hub: Hub, recipe_file: Path, packs: Path) -> None:
    steps = fetch_pack(read_recipe(str(recipe_file)), packs)
    next(steps)
    steps.close()
    assert not (packs / "own").exists()
    fetch(recipe_file, packs)
    assert load_pack("own", folder=packs).image_text.dimension == 64


def test_what_is_not_what_the_hub_announced_is_refused(hub: Hub, recipe_file: Path, packs: Path) -> None:
    for file in ("config.json", WEIGHTS):
        hub.spoiled = {file}
        with pytest.raises(UnavailableError, match="another checksum"):
            fetch(recipe_file, packs)
        assert not (packs / "own").exists()
    hub.spoiled = set()
    fetch(recipe_file, packs)
    assert load_pack("own", folder=packs).backbone.dimension == 96


def test_a_damaged_pack_is_repaired_with_what_is_wrong_only(hub: Hub, recipe_file: Path, packs: Path) -> None:
    fetch(recipe_file, packs)
    (packs / "own" / "backbone" / "config.json").unlink()
    weights = packs / "own" / "image_text" / "open_clip_model.safetensors"
    weights.write_bytes(b"x" * weights.stat().st_size)
    (packs / "own" / "backbone" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"^pack own: the file backbone/config\.json is missing; run: freeda packs fetch"
    ):
        _ = load_pack(str(recipe_file), folder=packs).backbone
    hub.asked = []
    fetch(recipe_file, packs)
    assert len(hub.downloads()) == 2
    pack = load_pack(str(recipe_file), folder=packs)
    assert (pack.backbone.dimension, pack.image_text.dimension) == (96, 64)


def test_weights_that_another_pack_has_are_not_fetched_again(
    hub: Hub, recipe_file: Path, packs: Path, tmp_path: Path
) -> None:
    fetch(recipe_file, packs)
    other = tmp_path / "other.toml"
    other.write_text(
        recipe_file.read_text().replace('name = "own"', 'name = "other"').replace("steps = 2", "steps = 1")
    )
    hub.asked = []
    fetch(other, packs)
    assert hub.downloads()
    assert not [path for path in hub.downloads() if path.endswith(".safetensors")]
    shutil.rmtree(packs / "own")
    pack = load_pack("other", folder=packs)
    assert (pack.backbone.dimension, pack.generator.parameters.steps) == (96, 1)


def test_a_changed_recipe_is_fetched_again(hub: Hub, recipe_file: Path, packs: Path) -> None:
    fetch(recipe_file, packs)
    recipe_file.write_text(recipe_file.read_text().replace("gamma = 0.45", "gamma = 0.6"))
    hub.asked = []
    fetch(recipe_file, packs)
    assert hub.downloads() == []
    assert read_pack_parameters("own", packs).parameters.prototypes.gamma == 0.6


def test_a_recipe_that_names_a_commit_gets_that_commit(hub: Hub, recipe_file: Path, packs: Path) -> None:
    fetch(recipe_file, packs)
    text = recipe_file.read_text()
    hub.commit = "f" * 40
    assert fetch(recipe_file, packs) == []  # of the main branch, whatever it was then
    recipe_file.write_text(text.replace("files =", f'revision = "{hub.commit}"\nfiles ='))
    fetch(recipe_file, packs)
    assert read_pack_parameters("own", packs).sources["generator"].revision == hub.commit


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"someone/backbone"', '"someone/nothing"', r"^pack own: the hub has no repository someone/nothing$"),
        ('"config.json", "model', '"konfig.json", "model', r"^pack own: someone/backbone has no file konfig\.json$"),
    ],
)
def test_what_is_not_on_the_hub_is_said_before_anything_is_fetched(
    hub: Hub, recipe_file: Path, packs: Path, *, old: str, new: str, message: str
) -> None:
    text = recipe_file.read_text()
    assert text.count(old) == 1
    recipe_file.write_text(text.replace(old, new))
    with pytest.raises(NotFoundError, match=message):
        fetch(recipe_file, packs)
    assert hub.downloads() == []
    assert not packs.exists()


def test_what_asks_for_its_licence_to_be_accepted_says_so(hub: Hub, recipe_file: Path, packs: Path) -> None:
    hub.gated.add("someone/backbone")
    with pytest.raises(UnavailableError, match="someone/backbone is given only to who accepted its terms: accept them"):
        list(fetch_pack(read_recipe(str(recipe_file)), packs))
    assert not hub.downloads()


def test_a_hub_that_does_not_answer_is_reported_in_one_line(
    recipe_file: Path, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="someone/generator cannot be fetched") as caught:
        fetch(recipe_file, packs)
    assert "\n" not in str(caught.value)


def test_without_space_for_all_files_nothing_is_downloaded(
    hub: Hub, recipe_file: Path, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(packs.parent)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(UnavailableError, match=r"1 MB left, and \d+ MB are needed: make room or set FREEDA_PACKS"):
        fetch(recipe_file, packs)
    assert hub.downloads() == []
    assert not (packs / "own").exists()


def test_the_command_fetches_shows_how_far_it_is_and_says_where_it_put_it(
    hub: Hub, recipe_file: Path, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_PACKS", str(packs))
    told = CliRunner().invoke(freeda, ["packs", "fetch", str(recipe_file)])
    assert told.exit_code == 0, told.output
    megabytes = sum(path.stat().st_size for path in packs.rglob("*/*") if path.is_file()) >> 20
    assert f"Fetching own (MB): {megabytes} of {megabytes}" in told.stderr
    assert told.stdout.endswith(f"own is in {packs / 'own'}\n")
    assert "tiny backbone: Apache-2.0" in told.stdout
    asked = len(hub.asked)
    assert CliRunner().invoke(freeda, ["packs", "fetch", str(recipe_file)]).exit_code == 0
    assert len(hub.asked) == asked


def test_a_folder_that_cannot_be_written_is_reported(hub: Hub, recipe_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="the pack own cannot be written below"):
        fetch(recipe_file, tmp_path / "file" / "packs")
