from pathlib import Path
from typing import Any

import click
import pytest

from freeda_svc.cli.segment_categories import ask_categories
from freeda_svc.errors import InputError
from freeda_svc.parameters import check_categories
from freeda_svc.vocabularies import load_vocabulary


def names(asked: Any) -> list[str]:  # noqa: ANN401 - None, too
    return [category.name for category in check_categories(asked)]


def test_names_are_taken_as_typed_in_any_script() -> None:
    asked = ask_categories([" traffic  light , собака,🐶, 草|grass,a‍b"], [], None, [])
    assert names(asked.categories) == ["traffic  light", "собака", "🐶", "草|grass", "a‍b"]
    assert asked.colours == ()


def test_a_file_has_a_category_a_line_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeff# mine\r\nsalt, pepper\r\n\r\n  C# code \n草\n".encode())
    assert names(ask_categories([], [file], None, []).categories) == ["salt, pepper", "C# code", "草"]


def test_a_vocabulary_brings_its_names_and_colours() -> None:
    asked = ask_categories([], [], "voc20", [])
    vocabulary = load_vocabulary("voc20")
    assert names(asked.categories) == list(vocabulary.names)
    assert asked.colours == tuple(tuple(colour) for colour in vocabulary.colours.tolist())


def test_words_of_ones_own_come_behind_a_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("crane\n")
    asked = ask_categories(["excavator"], [tmp_path / "words.txt"], "voc20", ["sky, wall"])
    assert names(asked.categories)[19:] == ["tvmonitor", "excavator", "crane", "background"]
    assert asked.categories[-1].text == "sky"
    assert list(asked.categories[-1].synonyms) == ["wall"]
    assert len(asked.colours) == 20


def test_background_words_take_the_place_of_the_vocabularys_background() -> None:
    asked = ask_categories([], [], "voc21", ["sky, wall"])
    assert names(asked.categories) == list(load_vocabulary("voc21").names)
    assert asked.categories[0].text == "sky"


def test_options_that_are_repeated_add_up(tmp_path: Path) -> None:
    for name, words in (("one.txt", "crane\nship\n"), ("two.txt", "sign\n")):
        (tmp_path / name).write_text(words)
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    asked = ask_categories(["road", "sidewalk, car"], files, None, ["sky", "wall, tree"])
    assert names(asked.categories) == ["road", "sidewalk", "car", "crane", "ship", "sign", "background"]
    assert (asked.categories[-1].text, *asked.categories[-1].synonyms) == ("sky", "wall", "tree")


@pytest.mark.parametrize(
    ("vocabulary", "typed", "background", "note"),
    [
        ("voc20", ["tree"], [], "beside the 20 classes of voc20, tree becomes class 21; value in masks is 20"),
        ("voc21", ["tree"], ["sky"], "beside the 21 classes of voc21, tree becomes class 22; value in masks is 21"),
        (
            "voc20",
            ["fir"],
            ["sky"],
            "beside the 20 classes of voc20, fir, background become classes 21 to 22; values in masks are 20 to 21",
        ),
        ("voc20", [], [], ""),
        (None, ["tree"], ["sky"], ""),
    ],
)
def test_the_numbers_of_words_beside_a_vocabulary_are_reported(
    vocabulary: str | None, typed: list[str], background: list[str], note: str
) -> None:
    asked = ask_categories(typed, [], vocabulary, background)
    assert asked.note == note
    assert asked.background == (vocabulary == "voc21" or bool(background))
    if typed == ["tree"] and vocabulary is not None:
        number = int(note.rpartition(" ")[2])
        assert names(asked.categories)[number] == "tree"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n# all\n", "has no categories; write one per line"),
        (b"caf\xe9\n", r"is not UTF-8 text, it looks like Windows-1252, .* \(byte e9 in line 1\); save it as UTF-8"),
        ("dog\n".encode("utf-16"), "words.txt is not UTF-8 text, it looks like UTF-16; save it as UTF-8"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_used_are_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        ask_categories([], [tmp_path / "words.txt"], None, [])


def test_an_unknown_vocabulary_is_reported_in_one_line() -> None:
    with pytest.raises(click.BadParameter, match="vocabulary is 'voc', but must be one of voc20, voc21, "):
        ask_categories([], [], "voc", [])


def test_nothing_to_look_for_is_a_wrong_use() -> None:
    with pytest.raises(click.UsageError, match="Say what to look for"):
        ask_categories([], [], None, ["sky"])


@pytest.mark.parametrize("typed", ["", " ", ",", " , ,"])
def test_an_empty_list_is_reported_in_one_line(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="the list of categories is empty"):
        ask_categories([typed], [], None, [])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("ball,,sky", "a category between two commas is missing"),
        ("ball,Ball ", "is given twice"),
        ("ball|ball", "twice"),
        ("ball|,sky", "is empty"),
        ("x" * 500, r"\(500 characters\), but must be a word or a short phrase of at most 200 characters"),
    ],
)
def test_categories_that_cannot_be_are_one_line(typed: str, message: str) -> None:
    with pytest.raises((InputError, click.BadParameter), match=message) as caught:
        check_categories(ask_categories([typed], [], None, []).categories)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_ten_thousand_categories_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("".join(f"word {number}\n" for number in range(10_000)))
    assert len(names(ask_categories([], [tmp_path / "words.txt"], None, []).categories)) == 10_000
