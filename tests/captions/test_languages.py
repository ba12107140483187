import os
from pathlib import Path

import pytest

from freeda_svc.captions import CaptionTally, make_caption, read_captions
from freeda_svc.captions.languages import function_words, looks_foreign
from freeda_svc.errors import InputError
from freeda_svc.miniature.scenes import EASY, HARD, paint_scene

SHARED = Path(os.environ.get("FREEDA_SHARED", Path(__file__).resolve().parents[3] / "shared"))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Ein Hund",
            "die Katze schläft",
            "Der Mann fährt Fahrrad",
            "Zug im Bahnhof",
            "Zwei Hunde",
            "ein Hund in Paris",
        ),
        *("Drei Kinder laufen durch den Schnee", "EIN HUND AUF DEM SOFA", "Hund und Katze", "Blick auf die Stadt"),
        *("le chat noir", "Un chien sur la plage", "Deux hommes", "homme à vélo", "Des enfants jouent dans le sable"),
        *("Un perro en la playa", "El gato está en el sofá", "Hombre en bicicleta", "Una casa junto a un árbol"),
        *(
            "Um cachorro na praia",
            "Il gatto è sul divano",
            "Een man in een park",
            "Pies na plaży",
            "En hund på stranden",
        ),
        *("一只狗在海滩上", "砂浜の犬", "개", "Собака на пляже", "كلب على الشاطئ", "σκύλος", "Bir köpek", "कुत्ता"),
    ],
)
def test_captions_in_other_languages_are_recognised(text: str) -> None:
    caption = make_caption(text)
    assert caption is not None
    assert looks_foreign(caption.text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "42",
            "dog",
            "cameras, fungi",
            "man on bike",
            "A DOG ON A SOFA",
            "a dog 🐕",
            "two dogs (一只狗) on a sign",
        ),
        *("A café on the boulevard", "crème brûlée", "a jalapeño", "An île flottante on a plate with a spoon"),
        *("Los Angeles skyline", "La Guardia airport", "El Camino car", "Rio de Janeiro beach", "Leonardo da Vinci"),
        *("UN peacekeepers", "a sign in los angeles", "A train in Des Moines", "a Citroën in the street", "Las Vegas"),
        *("A sign for Rue de la Paix", "a plate of chili con carne", "a man dies on the beach", "it rains", "xxxx"),
    ],
)
def test_captions_in_english_are_left_alone(text: str) -> None:
    assert not looks_foreign(text)


def test_painted_captions_are_english() -> None:
    assert not [
        caption
        for number in range(300)
        for easy_or_hard in (EASY, HARD)
        if looks_foreign(caption := paint_scene((0, number), easy_or_hard).caption)
    ]


def test_real_captions_are_english() -> None:
    path = SHARED / "data" / "captions_val2017.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    tally = CaptionTally()
    for _ in read_captions(path, tally=tally):
        pass
    assert tally.read > 25_000
    assert tally.foreign <= tally.read / 1000


def test_they_are_left_out_and_counted_unless_they_are_asked_for(tmp_path: Path) -> None:
    path, tally = tmp_path / "a.txt", CaptionTally()
    path.write_text("a dog\nein Hund\n一只狗\nein Hund\n", encoding="utf-8")
    assert [caption.text for caption in read_captions(path, tally=tally)] == ["a dog"]
    assert tally == CaptionTally(read=4, foreign=3)
    found = read_captions(path, any_language=True)
    assert [caption.text for caption in found] == ["a dog", "ein Hund", "一只狗"]
    path.write_text("ein Hund\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"has no captions that can be used \(1 not English\)$"):
        list(read_captions(path))


def test_every_word_of_the_list_is_in_lower_case_and_english_ones_are_no_others() -> None:
    known = function_words()
    words = known.english | known.shared | known.certain | known.loaned | known.any_other
    assert all(word == word.lower() and word.isalpha() for word in words)
    assert not known.english & known.certain
    assert known.certain <= known.any_other | {"sotto"}
