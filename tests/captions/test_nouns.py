import os
from itertools import islice
from pathlib import Path

import pytest

from freeda_svc.captions import NounParser, read_captions
from freeda_svc.captions import nouns as nouns_module
from freeda_svc.errors import UnavailableError
from freeda_svc.miniature.scenes import EASY, NOUNS, paint_scene

SHARED = Path(os.environ.get("FREEDA_SHARED", Path(__file__).resolve().parents[3] / "shared"))


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
        ("a city traffic light", ["light", "traffic light", "city traffic light"]),
        ("two fire hydrants", ["hydrant", "fire hydrant"]),
        ("a big old city street traffic light", ["light", "traffic light", "street traffic light"]),
        (
            "a living room with a cell phone and a stop sign",
            [*("room", "living room", "phone"), *("cell phone", "sign", "stop sign")],
        ),
        ("a parking lot beside a bus stop", ["parking lot", "bus stop"]),
        ("the kitchen area", ["kitchen"]),
        ("a photo of a tree top", ["tree"]),
        ("a beach scene with a stop", ["beach"]),
        ("a double decker bus", ["bus"]),
        ("two hot dogs and a dog", ["hot dog", "dog"]),
        ("teddy bears", ["teddy bear"]),
        ("A man that has a bunch of teddy bears", ["man", "teddy bear"]),
        ("A red fire hydrant", ["hydrant", "fire hydrant"]),
        ("some vases with cookies, scissors and french fries", ["vase", "cookie", "scissors", "fries"]),
        ("women with children and sheep beside two knives", ["woman", "child", "sheep", "knife"]),
        ("wine glasses, sunglasses and trousers", ["glass", "wine glass", "sunglasses", "trousers"]),
        ("cameras, fungi", ["camera", "fungus"]),
        ("a flock of geese beside cacti", ["flock", "goose", "cactus"]),
        ("Geese fly", ["goose", "fly"]),
        ("data on a screen", ["data", "screen"]),
        ("pixies and cookies, grannies and ponies", ["pixie", "cookie", "granny", "pony"]),
        ("a platypus, an iris and a trellis", ["platypus", "iris", "trellis"]),
        ("oxen and larvae of a species", ["ox", "larva", "species"]),
        ("a hydrant gushing water", ["hydrant", "water"]),
        ("A fire hydrant gushing water", ["hydrant", "fire hydrant", "water"]),
        ("a whale spouting water", ["whale", "water"]),
        ("a machine washing clothes", ["machine", "clothes"]),
        ("a washing machine", ["machine", "washing machine"]),
        ("Baby brushing teeth", ["baby", "tooth"]),
        ("A train speeding along the tracks", ["train", "track"]),
        ("A man on a tennis court playing tennis", ["man", "court", "tennis court", "tennis"]),
        ("a railroad crossing sign", ["sign", "crossing sign", "railroad crossing sign"]),
        ("a marble cutting board", ["board", "cutting board", "marble cutting board"]),
        ("a brick building", ["building", "brick building"]),
        ("a urinal next to a pedestal sink", ["urinal", "sink", "pedestal sink"]),
        ("it stands upside down", []),
        ("A moped and utility truck next to a small building.", ["moped", "truck", "utility truck", "building"]),
        ("", []),
    ],
)
def test_nouns_that_can_be_seen_are_found(parser: NounParser, text: str, expected: list[str]) -> None:
    assert words(parser, text) == expected


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("a man wearing worn glasses", "glasses"),
        ("A man wearing a red shirt, tie and glasses", "glasses"),
        ("a woman in glasses holding a laptop", "glasses"),
        ("A woman with blonde hair and glasses plays a game", "glasses"),
        ("Man with glasses on", "glasses"),
        ("a pair of reading glasses", "glasses"),
        ("two glasses of wine", "glass"),
        ("a man holding glasses of wine", "glass"),
        ("A man pouring wine into the glasses of others", "glass"),
        ("Two men holding wine glasses", "glass"),
        ("a table with plates and glasses", "glass"),
        ("A plate with two glasses", "glass"),
        ("A woman talking on a phone sitting next to glasses", "glass"),
    ],
)
def test_glasses_are_worn_or_drunk_from(parser: NounParser, text: str, noun: str) -> None:
    assert {"glass", "glasses"} & set(words(parser, text)) == {noun}


def test_proper_names_are_not_nouns(parser: NounParser) -> None:
    assert words(parser, "a bridge in London near the river") == ["bridge", "river"]


def test_mentions_of_a_noun_are_merged_with_all_their_places(parser: NounParser) -> None:
    text = "A dog beside two Dogs and a cat"
    [found] = parser.parse([text])
    assert [(noun.text, [text[start:end] for start, end in noun.spans]) for noun in found] == [
        ("dog", ["dog", "Dogs"]),
        ("cat", ["cat"]),
    ]


def test_the_place_of_a_compound_is_all_its_words(parser: NounParser) -> None:
    text = "Traffic lights on a pole, a light and another traffic light"
    [found] = parser.parse([text])
    assert [(noun.text, [text[start:end] for start, end in noun.spans]) for noun in found] == [
        ("light", ["lights", "light", "light"]),
        ("traffic light", ["Traffic lights", "traffic light"]),
        ("pole", ["pole"]),
    ]


def test_what_is_named_in_two_words_has_both_as_its_place(parser: NounParser) -> None:
    text = "eating Hot Dogs"
    [[found]] = parser.parse([text])
    assert (found.text, [text[start:end] for start, end in found.spans]) == ("hot dog", ["Hot Dogs"])


def test_a_participle_behind_a_noun_is_not_the_noun(parser: NounParser) -> None:
    assert words(parser, "a zebra standing in the grass")[0] == "zebra"


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


def test_the_nouns_of_painted_scenes_are_found_and_no_others(parser: NounParser) -> None:
    captions = [paint_scene((0, number), EASY).caption for number in range(300)]
    wanted = [set(caption.split()) & set(NOUNS) for caption in captions]
    assert [{noun.text for noun in nouns} for nouns in parser.parse(captions)] == wanted
    assert set.union(*wanted) == set(NOUNS)


def test_parsing_forgets_words_it_has_seen(parser: NounParser) -> None:
    parser.parse(["a dog"])
    known = len(parser.language.vocab.strings)
    parser.parse([f"a dog on a {chr(97 + number % 26) * (number + 3)}" for number in range(500)])
    assert len(parser.language.vocab.strings) == known


def test_a_missing_language_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nouns_module, "LANGUAGE_PACKAGES", ("no_such_language_package",))
    with pytest.raises(UnavailableError, match="install one of no_such_language_package"):
        NounParser()


def test_the_official_package_is_preferred() -> None:
    assert nouns_module.LANGUAGE_PACKAGES[0] == "en_core_web_sm"


def test_every_line_of_the_list_of_invisible_nouns_is_in_lower_case_and_there_once() -> None:
    lines = nouns_module.INVISIBLE_NOUNS_FILE.read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert all(entry == entry.lower().strip() for entry in entries)
    assert len(set(entries)) == len(entries)


def test_the_list_of_invisible_nouns_says_what_is_seen_all_the_same() -> None:
    listed = nouns_module.invisible_nouns()
    assert {"photo", "picture", "front", "lot", "group", "side", "top", "itap"} <= listed
    assert {compound.split()[-1] for compound in nouns_module.visible_compounds()} <= listed
    assert "hot dog" in nouns_module.whole_phrases()
    assert not listed & (nouns_module.visible_compounds() | nouns_module.whole_phrases() | set(NOUNS))


def test_nearly_all_real_captions_have_nouns(parser: NounParser) -> None:
    path = SHARED / "data" / "captions_val2017.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    texts = [caption.text for caption in islice(read_captions(path), 500)]
    found = parser.parse(texts)
    assert sum(not nouns for nouns in found) <= 5
    for text, nouns in zip(texts, found, strict=True):
        for noun in nouns:
            assert {text[start:end].lower()[0] for start, end in noun.spans} == {noun.text[0]}
            assert {len(text[start:end].split()) for start, end in noun.spans} == {len(noun.text.split())}
