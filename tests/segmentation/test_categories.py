import pytest

from freeda_svc.errors import InputError
from freeda_svc.segmentation import Category, check_categories, parse_categories
from freeda_svc.segmentation.categories import LONGEST_TEXT


def test_names_are_separated_by_commas() -> None:
    categories = parse_categories(" dog, traffic light ,Grass,\tCafé ")
    assert [category.name for category in categories] == ["dog", "traffic light", "Grass", "Café"]


def test_texts_default_to_the_name_and_the_text() -> None:
    plain = Category("dog")
    assert (plain.embedded_text, plain.retrieval_text) == ("dog", "dog")
    worded = Category("dog", text="a small dog")
    assert (worded.embedded_text, worded.retrieval_text) == ("a small dog", "a small dog")
    apart = Category("dog", text="a small dog", prototype_text="puppy")
    assert (apart.embedded_text, apart.retrieval_text) == ("a small dog", "puppy")
    assert Category("dog", prototype_text="puppy").embedded_text == "dog"


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no categories given"):
        parse_categories(text)


@pytest.mark.parametrize(
    ("text", "number"), [(",", 1), ("dog,,cat", 2), ("dog, cat,", 3), (",dog", 1), ("dog, ,cat", 2)]
)
def test_an_empty_name_is_refused(text: str, number: int) -> None:
    with pytest.raises(InputError, match=f"category {number} of .* is empty"):
        parse_categories(text)


@pytest.mark.parametrize("text", ["dog,cat,dog", "dog, Dog", "traffic light, traffic  light"])
def test_a_name_given_twice_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is given twice"):
        parse_categories(text)


def test_no_categories_are_refused() -> None:
    with pytest.raises(InputError, match="no categories given"):
        check_categories([])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"name": " "}, "name is empty"),
        ({"name": "dog", "text": ""}, "text is empty"),
        ({"name": "dog", "prototype_text": "\t"}, "prototype text is empty"),
        ({"name": "x" * (LONGEST_TEXT + 1)}, "has 201 characters"),
        ({"name": "dog\udcff"}, "not valid Unicode"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(texts: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Category(**texts)
    assert "\n" not in str(caught.value)
