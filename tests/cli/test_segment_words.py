"""What `freeda segment` tells of words that the bank does not know, and of pixels that fit none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import brightness
from tests.cli.brightness import Worker

Freeda = Callable[..., Any]


class TestWords:
    """What is told of words that the bank does not know, and of pixels that fit none."""

    def test_a_word_without_prototypes_is_reported_once(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        asked = ("segment", photos, "-r", "-c", "night|zebra, ghost, day", "--out", "out", "--json")
        ran = freeda(*asked)
        assert ran.code == 0
        unknown = [
            "zebra: no prototype of that noun; nearest: grass, house, tree",
            "ghost: no prototype of that noun",
        ]
        assert [line for line in ran.err.splitlines() if "no prototype" in line] == unknown
        assert freeda(*asked, "--quiet").err == ""
        words = ran.json["images"][0]["categories"][0]["words"]
        assert [(word["text"], word["prototypes"]) for word in words] == [("night", 7), ("zebra", 0)]
        assert words[1]["nearest"][0] == {"noun": "grass", "retrieved": 2}
        again = freeda("jobs", "export", ran.json["job"], "--out", "again")
        assert again.err.splitlines() == unknown

    def test_how_to_teach_them_is_reported_unless_quiet(
        self, freeda: Freeda, worker: Worker, photos: Path, tiny_pack_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = ("segment", photos / "a.png", "-c", "zebra", "--out", "out")
        exemplars = "with images and masks of your own: `freeda bank add-exemplars`"
        told = f"teach them {exemplars} (captions teach the pack miniature only its 14 nouns)"
        assert told in freeda(*asked).err.splitlines()
        assert "teach them" not in freeda(*asked, "--quiet").err
        monkeypatch.setenv("FREEDA_PACK", str(tiny_pack_folder))
        told = f"teach them with captions that name them: `freeda ingest FILE`, or {exemplars}"
        assert told in freeda(*asked).err.splitlines()

    def test_words_that_the_pack_can_draw_are_taught_by_captions(
        self, freeda: Freeda, worker: Worker, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(brightness, "STAND_INS", {"moon": ["day"], "zebra": ["grass"]})
        asked = ("segment", photos / "a.png", "--out", "out", "--unknown", "channel")
        both = freeda(*asked, "-c", "moon, zebra, night").err.splitlines()
        assert "ingest captions with moon: `freeda ingest FILE`" in both
        assert any(line.startswith("teach them with images and masks of your own") for line in both)
        drawn = freeda(*asked, "-c", "moon, night").err
        assert "ingest captions with moon: `freeda ingest FILE`" in drawn
        assert "teach them" not in drawn
        assert "ingest captions" not in freeda(*asked, "-c", "moon, night", "--quiet").err

    def test_words_among_the_images_are_no_images(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        ran = freeda("segment", photos / "a.png", "-c", "night", "day", "dusk", "--out", "out", "--quiet")
        assert ran.code == 3
        assert "if day, dusk is to be looked for: write categories as one list, -c 'night, day, dusk'" in ran.err
        assert "one list" not in freeda("segment", photos / "a.png", "b.png", "-c", "night", "--wait", "--quiet").err

    def test_of_many_such_words_some_are_reported(
        self, freeda: Freeda, worker: Worker, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = [f"word {number}" for number in range(30)]
        monkeypatch.setattr(brightness, "STAND_INS", {word: ["day"] for word in words})
        ran = freeda("segment", photos / "a.png", "-c", ",".join(words), "--out", "out")
        lines = [line for line in ran.err.splitlines() if "prototype" in line]
        assert lines[9] == "word 9: no prototype of that noun; nearest: day"
        assert lines[10] == "... and 20 more words without a prototype; the summaries name all"

    def test_one_category_that_takes_every_pixel_is_reported(
        self, freeda: Freeda, worker: Worker, photos: Path
    ) -> None:
        ran = freeda("segment", photos / "a.png", "-c", "night", "--out", "out")
        hint = "--background 'sky, wall' names what else there is, --unknown channel leaves out what fits none"
        assert ran.err.splitlines()[-1] == f"every pixel is 'night', as nothing else was named: {hint}"
        several = freeda("segment", photos / "a.png", "-c", "night, day", "--out", "out")
        assert several.err.splitlines()[-1] == f"every pixel takes one of the categories, even where none fits: {hint}"

    @pytest.mark.parametrize(
        "otherwise",
        [("--unknown", "channel"), ("--background", "sky"), ("--quiet",), ("--vocabulary", "voc21", "--quiet")],
    )
    def test_the_hint_is_left_out_where_it_does_not_apply(
        self, freeda: Freeda, worker: Worker, photos: Path, otherwise: tuple[str, ...]
    ) -> None:
        ran = freeda("segment", photos / "a.png", "-c", "night", "--out", "out", *otherwise)
        assert (ran.code, "names what else there is" in ran.err) == (0, False)

    def test_categories_that_are_repeated_add_up(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        ran = freeda("segment", photos, "-c", "road", "-c", "sidewalk", "--out", "out", "--quiet", "--json")
        assert [category["name"] for category in ran.json["images"][0]["categories"]] == ["road", "sidewalk"]

    def test_the_number_of_a_word_beside_a_vocabulary_is_reported(
        self, freeda: Freeda, worker: Worker, photos: Path
    ) -> None:
        ran = freeda("segment", photos, "--vocabulary", "voc20", "-c", "tree", "--out", "out", "--quiet")
        assert ran.err.splitlines()[-1] == (
            "beside the 20 classes of voc20, tree becomes class 21; value in masks is 20"
        )
