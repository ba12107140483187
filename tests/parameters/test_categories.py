import pytest

from freeda_svc.errors import InputError
from freeda_svc.parameters import LONGEST_TEXT
from freeda_svc.segmentation import Category, background_category, check_categories, parse_categories


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
        ({"name": " "}, "name is ' ', but must be a word or a short phrase of at most 200 characters"),
        ({"name": "dog", "text": ""}, "text is '', but must be a word"),
        ({"name": "dog", "prototype_text": "\t"}, r"prototype_text is '\\t', but must be a word"),
        ({"name": "x" * (LONGEST_TEXT + 1)}, r"x'\.\.\. \(201 characters\), but must be"),
        ({"name": "dog\udcff"}, r"name is 'dog\\udcff', but must be"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(texts: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Category(**texts)
    assert "\n" not in str(caught.value)


def test_synonyms_are_separated_by_bars() -> None:
    cats, dog = parse_categories("cat | kitten|feline, dog")
    assert cats.name == "cat | kitten|feline"
    assert cats.texts == ("cat", "kitten", "feline")
    assert cats.retrieval_texts == ("cat", "kitten", "feline")
    assert (cats.embedded_text, cats.retrieval_text) == ("cat", "cat")
    assert (dog.texts, dog.synonyms) == (("dog",), ())


def test_synonyms_come_after_the_texts_given() -> None:
    category = Category("pet", text="a cat", prototype_text="cat", synonyms=["dog"])
    assert category.texts == ("a cat", "dog")
    assert category.retrieval_texts == ("cat", "dog")
    assert category.synonyms == ("dog",)


def test_a_bar_in_a_name_with_texts_of_its_own_is_only_a_name() -> None:
    assert Category("a|b", text="cat").texts == ("cat",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat||kitten", "text 2 of the category 'cat||kitten' is empty"),
        ("dog, cat|", "text 2 of the category"),
        ("|", "text 1 of the category"),
        ("cat|kitten|Cat", "'cat|kitten|Cat' has the text 'Cat' twice"),
        ("cat|kitten, dog|kitten", "the text 'kitten' is given for both 'cat|kitten' and 'dog|kitten'"),
        ("cat|kitten, Kitten", "the text 'Kitten' is given for both 'cat|kitten' and 'Kitten'"),
        ("cat|dog, dog|cat", "is given for both"),
        ("cat|" + "x" * 201, "synonyms holds 'xxxx"),
        ("x" * 500, "(500 characters), but must be a word or a short phrase of at most 200"),
    ],
)
def test_synonyms_that_cannot_be_used_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_categories(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_many_synonyms_make_a_long_name() -> None:
    name = "|".join(f"word {number}" for number in range(60))
    assert len(name) > LONGEST_TEXT
    assert len(parse_categories(name)[0].texts) == 60


@pytest.mark.parametrize("synonyms", ["dog", {"dog": 1}, 5])
def test_synonyms_are_a_list(synonyms: object) -> None:
    with pytest.raises(InputError, match=r"synonyms is .*, but must be a list of words or short phrases"):
        Category("cat", synonyms=synonyms)


@pytest.mark.parametrize("name", ["🐈", "小猫", "قطة", "gâteau", "γάτα|kitten", "a\u0301"])
def test_every_script_is_a_name(name: str) -> None:
    assert check_categories([name])[0].name == name


def test_texts_of_a_list_are_read_as_categories() -> None:
    categories = check_categories(["cat|kitten", Category("dog")])
    assert [category.name for category in categories] == ["cat|kitten", "dog"]
    with pytest.raises(InputError, match="the categories are one text"):
        check_categories("cat")
    with pytest.raises(InputError, match="name is '', but must be a word or a short phrase of at most 200 characters"):
        check_categories(["cat", ""])
    with pytest.raises(InputError, match="name is 5, but must be a word"):
        Category(5)


@pytest.mark.slow
def test_ten_thousand_categories_are_fine_but_a_mask_has_an_end() -> None:
    assert len(parse_categories(",".join(f"thing {number}" for number in range(10_000)))) == 10_000
    with pytest.raises(InputError, match="at most 65535"):
        check_categories([f"thing {number}" for number in range(65_536)])


def test_the_same_text_under_two_names_is_fine_without_synonyms() -> None:
    check_categories([Category("one", text="ball", prototype_text="cat"), Category("two", text="ball")])


def test_background_words_fold_into_one_category() -> None:
    background = background_category("sky, wall,road")
    assert background.name == "background"
    assert background.texts == ("sky", "wall", "road")
    assert background_category("sky", name="none of them").name == "none of them"
    with pytest.raises(InputError, match="background word 2 of 'sky,,wall' is empty"):
        background_category("sky,,wall")
    with pytest.raises(InputError, match="has the text 'Sky' twice"):
        background_category("sky, Sky")
