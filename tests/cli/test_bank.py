"""Banks by name and version from the command line, without a worker."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.bank import BankName, EmbeddedBanks, point_id
from freeda_svc.counts import count_by_size
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.prototypes import Prototype
from tests.made_prototypes import make_prototype

Freeda = Callable[..., Any]
PACK = read_pack_parameters("miniature").fingerprint  # as banks have that were made before packs could be mixed
ENCODERS = read_pack_parameters("miniature").encoders_fingerprint


def make_prototypes(nouns: list[str], job: str = "", start: int = 0) -> list[Prototype]:
    generator = np.random.default_rng(start)
    return [
        make_prototype(
            noun,
            caption_id=f"{start + number:016x}",
            key=generator.normal(size=64).astype(np.float32),
            vector=generator.normal(size=96).astype(np.float32),
            pack=PACK,
            job=job,
            image="thumbnails/a.png",
            mask="thumbnails/a.mask.png",
        )
        for number, noun in enumerate(nouns)
    ]


@pytest.fixture
def banks(home: Path) -> EmbeddedBanks:
    """The banks of the home: six boats and a ball in the default one."""
    made = EmbeddedBanks(home / "banks")
    made.create(BankName("default", 1), PACK, 64, 96)
    with made.open(BankName("default", 1)) as store:
        store.add(make_prototypes(["boat"] * 6 + ["ball"]))
    return made


def test_banks_are_listed_with_their_versions(freeda: Freeda, banks: EmbeddedBanks) -> None:
    banks.create(BankName("default", 2), PACK, 64, 96)
    banks.create(BankName("animals", 1), PACK, 64, 96)
    listed = freeda("bank", "list", "--json").json
    assert [(bank["bank"], bank["current"], bank["prototypes"]) for bank in listed] == [
        ("animals@1", True, 0),
        ("default@1", True, 7),
        ("default@2", False, 0),
    ]
    table = freeda("bank", "list").out.splitlines()
    assert " ".join(table[0].split()) == "bank current prototypes fingerprint of encoders created"
    assert table[2].split()[:4] == ["default@1", "yes", "7", PACK]


def test_a_home_without_banks_says_how_to_make_one(freeda: Freeda, home: Path) -> None:
    ran = freeda("bank", "list")
    assert (ran.code, ran.err) == (0, "")
    assert "freeda ingest" in ran.out
    assert freeda("bank", "list", "--json").json == []


def test_a_bank_is_made_for_the_pack_and_once(freeda: Freeda, home: Path) -> None:
    assert freeda("bank", "create", "animals").out == "animals@1\n"
    again = freeda("bank", "create", "animals@1")
    assert again.code == 1
    assert again.err.startswith("Error: there is a bank animals@1 already")
    shown = freeda("bank", "show", "animals", "--json").json
    assert [(bank["bank"], bank["pack"], bank["key_dimension"]) for bank in shown] == [("animals@1", ENCODERS, 64)]


@pytest.mark.parametrize("name", ["Animals", "a b", "../a", "a@0", "a@", ""])
def test_names_that_are_none_are_refused_in_one_line(freeda: Freeda, home: Path, name: str) -> None:
    ran = freeda("bank", "create", name)
    assert ran.code == 2
    assert f": {name!r} is no name of a bank" in ran.err
    assert ran.err.count("\n") == 1
    assert not (home / "banks").exists()


def test_another_version_becomes_current_and_the_old_one_goes(freeda: Freeda, banks: EmbeddedBanks) -> None:
    banks.create(BankName("default", 2), PACK, 64, 96)
    assert freeda("bank", "stats", "--json").json["bank"] == "default@1"
    refused = freeda("bank", "drop", "default@1", "--yes")
    assert refused.code == 1
    assert "freeda bank switch default@2" in refused.err
    switched = freeda("bank", "switch", "default@2")
    assert switched.out == "default@2 is current\n"
    assert switched.err == "default@2 is empty: nothing can be segmented with it before `freeda ingest FILE`\n"
    assert freeda("bank", "stats", "--json").json["bank"] == "default@2"
    assert freeda("bank", "drop", "default@1", "--yes").code == 0
    missing = freeda("bank", "stats", "--bank", "default@1")
    assert (missing.code, missing.out) == (1, "")
    assert "default@2" in missing.err


def test_nothing_is_removed_where_nobody_can_be_asked(freeda: Freeda, banks: EmbeddedBanks) -> None:
    for command in (("drop", "default@1"), ("forget", "--noun", "boat")):
        ran = freeda("bank", *command)
        assert ran.code == 2
        assert "--yes" in ran.err
    assert freeda("bank", "stats", "--json").json["prototypes"] == 7


@pytest.mark.parametrize(("answer", "left"), [("n\n", 7), ("y\n", 1)])
def test_a_person_is_asked_before_prototypes_are_forgotten(
    freeda: Freeda, banks: EmbeddedBanks, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer.strip())
    ran = freeda("bank", "forget", "--noun", "boat")
    assert ran.code == (130 if left == 7 else 0)
    assert freeda("bank", "nouns", "--json").json.get("boat", 0) == left - 1


def test_one_prototype_is_not_called_prototypes(freeda: Freeda, banks: EmbeddedBanks) -> None:
    assert freeda("bank", "forget", "--noun", "ball", "--dry-run").out == (
        "1 prototype found in default@1, none removed\n"
    )
    assert freeda("bank", "forget", "--noun", "ball", "--yes").out == "1 prototype removed from default@1\n"


def test_nouns_as_json_say_which_the_models_know_where_details_are_asked_for(
    freeda: Freeda, banks: EmbeddedBanks
) -> None:
    table = freeda("bank", "nouns").out.splitlines()
    detailed = freeda("bank", "nouns", "--json", "--details").json
    assert detailed == [
        {"noun": "boat", "prototypes": 6, "known_to_pack": True},
        {"noun": "ball", "prototypes": 1, "known_to_pack": True},
    ]
    assert [line.split() for line in table[1:]] == [["boat", "6", "yes"], ["ball", "1", "yes"]]
    refused = freeda("bank", "nouns", "--details")
    assert (refused.code, "--details goes with --json" in refused.err) == (2, True)


@pytest.mark.parametrize("command", ["switch", "drop"])
def test_a_version_that_is_left_out_is_wrong_usage(freeda: Freeda, banks: EmbeddedBanks, command: str) -> None:
    ran = freeda("bank", command, "default")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "write it as default@1" in ran.err


@pytest.mark.parametrize("option", ["--noun", "--caption"])
def test_an_option_without_a_value_forgets_nothing(freeda: Freeda, banks: EmbeddedBanks, option: str) -> None:
    ran = freeda("bank", "forget", option, "", "--origin", "generated", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert f"{option} is empty" in ran.err
    assert freeda("bank", "stats", "--json").json["prototypes"] == 7


def test_what_will_be_forgotten_is_shown_first(freeda: Freeda, banks: EmbeddedBanks) -> None:
    for noun in ("boat", " BOAT "):
        dry = freeda("bank", "forget", "--noun", noun, "--dry-run", "--json").json
        assert dry == {"bank": "default@1", "found": 6, "removed": 0}
    removed = freeda("bank", "forget", "--noun", "boat", "--yes", "--json").json
    assert removed == {"bank": "default@1", "found": 6, "removed": 6}
    assert freeda("bank", "nouns", "--json").json == {"ball": 1}
    assert freeda("bank", "forget", "--noun", "boat").out == (
        "0 prototypes found in default@1, none removed; `freeda bank nouns` lists the nouns there are\n"
    )


def test_all_conditions_of_a_selection_apply_together(freeda: Freeda, banks: EmbeddedBanks) -> None:
    found = freeda(
        "bank", "forget", "--noun", "boat", "--caption", f"{3:016x}", "--origin", "generated", "--yes", "--json"
    )
    assert found.json == {"bank": "default@1", "found": 1, "removed": 1}
    assert freeda("bank", "forget", "--noun", "boat", "--origin", "exemplar", "--json").json["found"] == 0
    without = freeda("bank", "forget")
    assert (without.code, without.out) == (2, "")


def test_stats_draw_how_many_nouns_have_how_many_prototypes(freeda: Freeda, banks: EmbeddedBanks) -> None:
    stats = freeda("bank", "stats", "--json").json
    assert stats["nouns_by_prototypes"] == {"1": 1, "2-3": 0, "4-7": 1}
    assert (stats["outliers"], stats["origins"]) == (0, {"generated": 7})
    lines = freeda("bank", "stats").out.splitlines()
    assert [line.split() for line in lines[-3:]] == [["1", "1", "#" * 40], ["2-3", "0"], ["4-7", "1", "#" * 40]]


def test_every_count_falls_into_its_size() -> None:
    assert count_by_size([]) == {}
    assert count_by_size([1, 2, 3, 4, 7, 8]) == {"1": 1, "2-3": 2, "4-7": 2, "8-15": 1}


def test_a_prototype_is_shown_with_what_it_was_pooled_from(
    freeda: Freeda, banks: EmbeddedBanks, home: Path, tmp_path: Path
) -> None:
    thumbnails = home / "artifacts" / "thumbnails"
    thumbnails.mkdir(parents=True)
    image = np.full((32, 32, 3), 200, dtype=np.uint8)
    Image.fromarray(image).save(thumbnails / "a.png")
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[:16] = 255
    Image.fromarray(mask).save(thumbnails / "a.mask.png")
    identifier = point_id(make_prototypes(["boat"])[0])
    ran = freeda("bank", "show", identifier, "--out", tmp_path / "boat.png", "--json")
    assert (ran.json["noun"], ran.json["caption"]) == ("boat", "a boat")
    assert ran.json["image"] == str(thumbnails / "a.png")
    assert ran.err == f"wrote {tmp_path / 'boat.png'}\n"
    told = freeda("bank", "show", identifier, "--out", tmp_path / "boat.png")
    assert told.out.splitlines()[-1] == f"wrote {tmp_path / 'boat.png'}"
    assert "fingerprint of encoders" in freeda("bank", "show", "default").out
    with Image.open(tmp_path / "boat.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (256, 256 + 8 + 256, 3)
    assert (pixels[:, :256] == 200).all()
    assert (pixels[:128, 264:] == 200).all()
    assert (pixels[128:, 264:] == 50).all()


def test_a_prototype_without_its_picture_says_so(freeda: Freeda, banks: EmbeddedBanks, tmp_path: Path) -> None:
    identifier = point_id(make_prototypes(["boat"])[0])
    ran = freeda("bank", "show", identifier, "--out", tmp_path / "boat.png", "--json")
    assert ran.code == 1
    assert ran.err.startswith("Error: the thumbnail ")
    assert not (tmp_path / "boat.png").exists()


@pytest.mark.parametrize("what", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_not_shown(freeda: Freeda, banks: EmbeddedBanks, what: str) -> None:
    ran = freeda("bank", "show", what)
    assert (ran.code, ran.out) == (1, "")
    assert what in ran.err
    assert ran.err.count("\n") == 1


def test_curation_marks_and_takes_back(freeda: Freeda, banks: EmbeddedBanks) -> None:
    with banks.open(BankName("default", 1)) as store:
        store.add(make_prototypes(["boat"] * 14, start=100))
    dry = freeda("bank", "curate", "--keep", 0.75, "--dry-run", "--json").json
    assert (dry["assessed"], dry["left_alone"], dry["found"], dry["newly_marked"]) == (20, 1, 5, 0)
    assert dry["nouns"] == {"boat": [5, 20]}
    assert sum(dry["reasons"].values()) == 5
    assert freeda("bank", "stats", "--json").json["outliers"] == 0
    told = freeda("bank", "curate", "--keep", 0.75).out
    assert "default@1: 20 prototypes compared, 1 left alone, 5 are marked" in told
    assert freeda("bank", "stats", "--json").json["outliers"] == 5
    assert freeda("bank", "curate", "--undo").out == "5 marks taken back in default@1\n"
    assert freeda("bank", "stats", "--json").json["outliers"] == 0
    assert freeda("bank", "curate", "--undo", "--dry-run").code == 2
