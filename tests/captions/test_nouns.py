import pytest

from freeda_svc.captions import NounParser
from freeda_svc.captions import nouns as nouns_module
from freeda_svc.errors import UnavailableError
from freeda_svc.miniature.scenes import EASY, NOUNS, paint_scene


@pytest.fixture(scope="module")
def parser() -> NounParser:
    return NounParser()


def words(parser: NounParser, text: str) -> list[str]:
    [found] = parser.parse([text])
    return [noun.text for noun in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on the grass a boat", ["grass", "boat"]),
        ("there is a grey car next to a ball in the water under the sky", ["car", "ball", "water", "sky"]),
        ("the moon against the sky", ["moon", "sky"]),
        ("the small orange fish near the tree", ["fish", "tree"]),
        ("a photo of the red ball", ["ball"]),
        ("A picture of a lot of sheep in front of two houses.", ["sheep", "house"]),
        ("itap of a group of people on top of the hill", ["people", "hill"]),
        ("Boats on the sand", ["boat", "sand"]),
        ("TWO DOGS ON A BEACH", ["dog", "beach"]),
        ("a man with a Frisbee and knives", ["man", "frisbee", "knife"]),
        ("an orange and a banana", ["orange", "banana"]),
        ("a bowl of oranges", ["bowl", "orange"]),
        ("an orange and blue boat", ["boat"]),
        ("a red, white and blue flag", ["flag"]),
        ("she is running quickly", []),
        ("", []),
    ],
)
def test_nouns_that_can_be_seen_are_found(parser: NounParser, text: str, expected: list[str]) -> None:
    assert words(parser, text) == expected


def test_names_are_no_nouns(parser: NounParser) -> None:
    assert words(parser, "a bridge in London near the river") == ["bridge", "river"]


def test_mentions_of_a_noun_are_merged_with_all_their_places(parser: NounParser) -> None:
    text = "A dog beside two Dogs and a cat"
    [found] = parser.parse([text])
    assert [(noun.text, [text[start:end] for start, end in noun.spans]) for noun in found] == [
        ("dog", ["dog", "Dogs"]),
        ("cat", ["cat"]),
    ]


def test_places_are_those_of_the_text_as_it_is_written(parser: NounParser) -> None:
    text = "İİİ \N{GRINNING FACE} a CAT on a Table"  # lower-casing the first letter alone would make it longer
    [found] = parser.parse([text])
    assert [text[start:end] for noun in found for start, end in noun.spans if noun.text in ("cat", "table")] == [
        "CAT",
        "Table",
    ]


def test_captions_stay_apart_and_in_order(parser: NounParser) -> None:
    found = parser.parse(["a dog", "", "a cat"])
    assert [[noun.text for noun in nouns] for nouns in found] == [["dog"], [], ["cat"]]
    assert parser.parse([]) == []


def test_the_nouns_of_painted_scenes_are_found(parser: NounParser) -> None:
    captions = [paint_scene((0, number), EASY).caption for number in range(200)]
    wanted = [set(caption.split()) & set(NOUNS) for caption in captions]
    found = [{noun.text for noun in nouns} for nouns in parser.parse(captions)]
    hits = sum(len(want & got) for want, got in zip(wanted, found, strict=True))
    assert hits / sum(map(len, wanted)) >= 0.98
    assert sum(len(got - want) for want, got in zip(wanted, found, strict=True)) == 0


def test_a_missing_language_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nouns_module, "LANGUAGE_PACKAGES", ("no_such_language_package",))
    with pytest.raises(UnavailableError, match="install one of no_such_language_package"):
        NounParser()


def test_the_official_package_is_preferred() -> None:
    assert nouns_module.LANGUAGE_PACKAGES[0] == "en_core_web_sm"


def test_every_line_of_the_list_of_invisible_nouns_is_a_word() -> None:
    listed = nouns_module.invisible_nouns()
    assert {"photo", "picture", "front", "lot", "group", "side", "top", "itap"} <= listed
    assert all(word == word.lower() and " " not in word for word in listed)
    assert not listed & set(NOUNS)
