from typing import get_args

import pytest

from freeda_svc.errors import InputError
from freeda_svc.parameters import Category, CategoryChoice, VocabularyName
from freeda_svc.vocabularies import choose_categories, list_vocabularies, load_vocabulary


def test_the_vocabularies_that_can_be_chosen_are_those_that_can_be_loaded() -> None:
    assert get_args(VocabularyName) == tuple(list_vocabularies())


def test_categories_come_behind_a_vocabulary_and_before_the_background() -> None:
    choice = CategoryChoice(
        vocabulary="voc20", categories=["crane|hoist", {"name": "ship"}], background=["sky", "wall"]
    )
    chosen = choose_categories(choice)
    assert chosen.categories[:20] == load_vocabulary("voc20").categories
    assert chosen.categories[20:] == (
        Category("crane|hoist", text="crane", synonyms=["hoist"]),
        Category("ship"),
        Category("background", text="sky", synonyms=["wall"]),
    )
    assert (chosen.classes, len(chosen.colours), chosen.background) == (20, 20, True)


def test_background_words_take_the_place_of_the_vocabularys_background() -> None:
    chosen = choose_categories(CategoryChoice(vocabulary="voc21", background=["sky"]))
    assert chosen.categories == (Category("background", text="sky"), *load_vocabulary("voc21").categories[1:])
    assert chosen.background
    assert choose_categories(CategoryChoice(vocabulary="voc21")).background
    assert not choose_categories(CategoryChoice(vocabulary="voc20")).background


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "no categories given"),
        ({"vocabulary": "voc"}, "vocabulary is 'voc', but must be one of voc20, voc21"),
        ({"categories": ["a"], "background": ["sky", "A"]}, "the text 'A' is given for both"),
        ({"vocabulary": "voc20", "categories": ["Car"]}, "the category 'Car' is given twice"),
        ({"background": ["sky", "Sky"]}, "has the text 'Sky' twice"),
        ({"background": ["sky", ""]}, "background holds '', but must be a list of words or short phrases"),
        ({"background": "sky"}, "background is 'sky', but must be a list of words"),
    ],
)
def test_choices_that_cannot_be_are_one_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        choose_categories(CategoryChoice.read(values))
    assert "\n" not in str(caught.value)
