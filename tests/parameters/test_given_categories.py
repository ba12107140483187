import json
from typing import Any

import pytest

from freeda_svc.errors import InputError
from freeda_svc.parameters import Category
from freeda_svc.parameters import check_categories as read


def check_categories(categories: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - unusable ones, too
    return [category.given() for category in read(categories)]


def test_what_is_not_given_is_left_out() -> None:
    assert check_categories([{"name": "Cat ", "text": None}, {"name": "b", "text": "c", "prototype_text": "d"}]) == [
        {"name": "Cat "},
        {"name": "b", "text": "c", "prototype_text": "d"},
    ]


def test_synonyms_are_read_from_a_name_or_given() -> None:
    checked = check_categories([{"name": "cat|kitten"}, {"name": "background", "text": "sky", "synonyms": ["wall"]}])
    assert checked == [
        {"name": "cat|kitten", "text": "cat", "synonyms": ["kitten"]},
        {"name": "background", "text": "sky", "synonyms": ["wall"]},
    ]
    categories = [Category(**category) for category in json.loads(json.dumps(checked))]
    assert [category.texts for category in categories] == [("cat", "kitten"), ("sky", "wall")]
    assert check_categories(checked) == checked


def test_ten_thousand_categories_are_fine() -> None:
    assert len(check_categories([{"name": str(number)} for number in range(10_000)])) == 10_000


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([], "no categories"),
        ([{"name": ""}], "name is '', but must be a word"),
        ([{"text": "cat"}], "a category's name is missing: give a word"),
        ([{"name": 5}], "name is 5, but must be a word"),
        ([{"name": "cat", "text": " "}], "text is ' ', but must be"),
        ([{"name": "cat", "text": 5}], "text is 5, but must be"),
        ([{"name": "cat", "synonyms": "kitten"}], "synonyms is 'kitten', but must be a list"),
        ([{"name": "cat", "colour": "red"}], "there is no key of a category 'colour'; known are name, text"),
        ([{"name": "cat"}, {"name": "dog"}, {"name": "Cat "}], "'Cat ' is given twice"),
        ([{"name": "cat|kitten"}, {"name": "kitten"}], "given for both"),
        ([{"name": "c" * 201}], r"\(201 characters\), but must be"),
        ([{"name": str(number)} for number in range(65_536)], "65536 categories"),
    ],
)
def test_unusable_categories_are_one_line(categories: list[dict[str, Any]], expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        check_categories(categories)
    assert "\n" not in str(caught.value)
