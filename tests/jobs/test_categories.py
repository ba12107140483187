import json
from typing import Any

import pytest

from freeda_svc.errors import InputError
from freeda_svc.jobs.categories import check_categories
from freeda_svc.segmentation import Category


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
        ([{"name": ""}], "name is empty"),
        ([{"text": "cat"}], "no name"),
        ([{"name": 5}], "no name"),
        ([{"name": "cat", "text": " "}], "text is empty"),
        ([{"name": "cat", "text": 5}], "give a text"),
        ([{"name": "cat", "synonyms": "kitten"}], "give a list of texts"),
        ([{"name": "cat", "colour": "red"}], "colour"),
        ([{"name": "cat"}, {"name": "dog"}, {"name": "Cat "}], "'Cat ' is given twice"),
        ([{"name": "cat|kitten"}, {"name": "kitten"}], "given for both"),
        ([{"name": "c" * 201}], "201 characters"),
        ([{"name": str(number)} for number in range(65_536)], "65536 categories"),
    ],
)
def test_unusable_categories_are_one_line(categories: list[dict[str, Any]], expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        check_categories(categories)
    assert "\n" not in str(caught.value)
