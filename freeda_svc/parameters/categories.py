"""The categories a person asks for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from freeda_svc.errors import InputError
from freeda_svc.parameters.choices import VocabularyName
from freeda_svc.parameters.model import Model
from freeda_svc.parameters.sentences import CALLED, EXPECTED, OWNER, SEVERAL, unusable, wrong_value

LONGEST_TEXT = 200
"""Longest text of a category, characters; text encoders read little more and cut the rest off silently."""
LONGEST_NAME = 2000
"""Longest name of a category whose texts are given apart from it, such as one with many synonyms."""
MOST_TEXTS = 65_535
"""Most texts of all categories together; a mask of 16 bit has as many labels."""
SYNONYM_SEPARATOR = "|"

_PHRASE = f"a word or a short phrase of at most {LONGEST_TEXT} characters"
_TEXT: dict[str, Any] = {
    EXPECTED: _PHRASE,
    SEVERAL: f"words or short phrases of at most {LONGEST_TEXT} characters",
    "pattern": r"\S",
}


def _check_filled(text: str) -> str:
    if not text.strip():
        raise unusable()
    return text


_Filled = Annotated[str, AfterValidator(_check_filled)]
Text = Annotated[_Filled, Field(min_length=1, max_length=LONGEST_TEXT, json_schema_extra=_TEXT)]
"""A word or a short phrase that a text encoder reads."""


class Category(Model):
    """A category to find."""

    model_config = ConfigDict(json_schema_extra={OWNER: "a category's ", CALLED: "key of a category"})

    name: _Filled = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        json_schema_extra={EXPECTED: _PHRASE, "pattern": r"\S"},
        description=(
            f"What it is called in results, exactly as given; at most {LONGEST_TEXT} characters where it is the text."
        ),
    )
    text: Text | None = Field(
        default=None, description="The text that is embedded and compared with the image; the name when not given."
    )
    prototype_text: Text | None = Field(
        default=None, description="The text whose prototypes are retrieved; that of text when not given."
    )
    synonyms: tuple[Text, ...] = Field(
        default=(),
        strict=False,
        description="Further texts of the category, each both embedded and used to retrieve prototypes.",
    )

    def __init__(
        self,
        name: str,
        text: str | None = None,
        prototype_text: str | None = None,
        synonyms: Iterable[str] = (),
    ) -> None:
        """Check and keep the texts.

        Raises:
            InputError: a name or text is empty, too long, not valid Unicode, or given twice.
        """
        super().__init__(name=name, text=text, prototype_text=prototype_text, synonyms=synonyms)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # as Model has it

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.text is None and len(self.name) > LONGEST_TEXT:
            raise ValueError(wrong_value("a category's name", self.name, _PHRASE))
        folded = [fold_text(text) for text in self.texts]
        for number, text in enumerate(folded):
            if text in folded[:number]:
                raise ValueError(
                    f"the category {self.name!r} has the text {self.texts[number]!r} twice; name each once"
                )
        return self

    def given(self) -> dict[str, Any]:
        """Return what is given, as JSON holds it."""
        synonyms = {"synonyms": list(self.synonyms)} if self.synonyms else {}
        return self.model_dump(exclude_none=True, exclude={"synonyms"}) | synonyms

    @property
    def embedded_text(self) -> str:
        """The text that is embedded for the global similarity, the first where there are synonyms."""
        return self.name if self.text is None else self.text

    @property
    def retrieval_text(self) -> str:
        """The text whose prototypes are fetched for the local similarity, the first where there are synonyms."""
        return self.embedded_text if self.prototype_text is None else self.prototype_text

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that are embedded for the global similarity."""
        return (self.embedded_text, *self.synonyms)

    @property
    def retrieval_texts(self) -> tuple[str, ...]:
        """All texts whose prototypes are fetched, in the order of ``texts``."""
        return (self.retrieval_text, *self.synonyms)


def fold_text(text: str) -> str:
    """Return a text with case and white space normalised, so that equal ones compare as equal."""
    return " ".join(text.casefold().split())


def read_category(category: Category | Mapping[str, Any] | str) -> Category:
    """Return a category of whatever way it is given in.

    Args:
        category: one, a text as ``parse_category`` reads it, or a mapping by the names of the fields; where that has a
            name only, the name may hold synonyms: ``cat|kitten``.

    Raises:
        InputError: it is not usable.
    """
    if isinstance(category, str):
        return parse_category(category)
    if isinstance(category, Mapping):
        given = {key: value for key, value in category.items() if value is not None}
        name = given.get("name")
        return parse_category(name) if len(given) == 1 and isinstance(name, str) else Category.read(given)
    return Category.read(category)


def _read_entry(entry: object) -> object:
    try:
        return read_category(entry)  # type: ignore[arg-type]  # what is none of these is refused
    except InputError as error:
        raise ValueError(str(error)) from error


CategoryEntry = Annotated[Category, BeforeValidator(_read_entry, json_schema_input_type=Category | str)]
"""A category, or a text of which one is read, such as ``cat|kitten``."""


class CategoryChoice(Model):
    """What to look for, named in several ways: the classes of a vocabulary, then categories, then a background."""

    vocabulary: VocabularyName | None = Field(
        default=None, description="A built-in vocabulary, whose classes come first."
    )
    categories: tuple[CategoryEntry, ...] = Field(
        default=(),
        strict=False,
        json_schema_extra={EXPECTED: "a list of categories"},
        description="Further categories, behind those of the vocabulary.",
    )
    background: tuple[Text, ...] = Field(
        default=(),
        strict=False,
        description=(
            "Words that fold into one category, background: the last one, or the vocabulary's background where it has "
            "one."
        ),
    )


def check_categories(categories: Iterable[Category | Mapping[str, Any] | str]) -> tuple[Category, ...]:
    """Return the categories when there is at least one and nothing appears twice.

    Names that differ only in case or white space count as one name: they get the same embedding, so that no
    pixel could be assigned to one rather than the other. For the same reason a synonym is no text of another category.

    Args:
        categories: as ``read_category`` takes them.

    Raises:
        InputError: there is no category, there are too many, or a name or text appears twice.
    """
    if isinstance(categories, str):
        raise InputError(f"the categories are one text, {categories[:40]!r}; give a list, or use parse_categories")
    if isinstance(categories, Category | Mapping) or not isinstance(categories, Iterable):
        raise InputError(wrong_value("the list of categories", categories, "a list of categories"))
    read = tuple(read_category(category) for category in categories)
    if not read:
        raise InputError("no categories given; name at least one, such as: dog, grass")
    texts = sum(len(category.texts) for category in read)
    if texts > MOST_TEXTS:
        raise InputError(f"{len(read)} categories with {texts} texts were given; at most {MOST_TEXTS} are possible")
    seen: set[str] = set()
    for category in read:
        folded = fold_text(category.name)
        if folded in seen:
            raise InputError(f"the category {category.name!r} is given twice; name every category once")
        seen.add(folded)
    _check_synonyms(read)
    return read


def _check_synonyms(categories: Sequence[Category]) -> None:
    owners: dict[str, Category] = {}
    for text, category in _texts_by_owner(categories):
        other = owners.setdefault(fold_text(text), category)
        if other is not category and (other.synonyms or category.synonyms):
            raise InputError(
                f"the text {text!r} is given for both {other.name!r} and {category.name!r}; leave it out of one of them"
            )


def _texts_by_owner(categories: Sequence[Category]) -> Iterator[tuple[str, Category]]:
    for category in categories:
        for text in category.texts:
            yield text, category


def parse_category(text: str) -> Category:
    """Read one category; its synonyms are separated by bars, such as ``cat|kitten|feline``.

    The name is the text exactly as it is.

    Raises:
        InputError: it or one of its parts is empty, too long, not valid Unicode, or given twice.
    """
    if SYNONYM_SEPARATOR not in text:
        return Category(text)
    parts = [part.strip() for part in text.split(SYNONYM_SEPARATOR)]
    if "" in parts:
        raise InputError(
            f"text {parts.index('') + 1} of the category {text[:40]!r} is empty; write texts separated by single bars"
        )
    return Category(text, text=parts[0], synonyms=tuple(parts[1:]))


def parse_categories(text: str) -> tuple[Category, ...]:
    """Read a list of categories separated by commas, such as ``dog|puppy, traffic light``.

    Raises:
        InputError: the list or one of its names is empty, or a name appears twice.
    """
    if not text.strip():
        return check_categories(())
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise InputError(
            f"category {names.index('') + 1} of {text.strip()[:40]!r} is empty; write names separated by single commas"
        )
    return check_categories(names)


def background_category(text: str, name: str = "background") -> Category:
    """Fold a list of words into one category, such as ``sky, wall, road``.

    Args:
        text: the words, separated by commas.
        name: what the category is called; it is not one of the texts unless it is among the words.

    Raises:
        InputError: the list or one of its words is empty, or a word appears twice.
    """
    words = [word.strip() for word in text.split(",")]
    if "" in words:
        raise InputError(f"background word {words.index('') + 1} of {text[:40]!r} is empty; write words and commas")
    return Category(name, text=words[0], synonyms=tuple(words[1:]))
