"""The categories a person asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freeda_svc.errors import InputError

LONGEST_TEXT = 200
"""Longest text of a category, characters; text encoders read little more and cut the rest off silently."""
LONGEST_NAME = 2000
"""Longest name of a category whose texts are given apart from it, such as one with many synonyms."""
MOST_TEXTS = 65_535
"""Most texts of all categories together; a mask of 16 bit tells as many labels apart."""
SYNONYM_SEPARATOR = "|"


@dataclass(frozen=True)
class Category:
    """A category to find.

    Attributes:
        name: what it is called in results, exactly as typed.
        text: the text that is embedded and compared with the image; the name when None.
        prototype_text: the text whose prototypes are fetched; that of ``text`` when None.
        synonyms: further texts of the same category, each both embedded and used to fetch prototypes.

    Raises:
        InputError: a name or text is empty, too long, not valid Unicode, or given twice.
    """

    name: str
    text: str | None = None
    prototype_text: str | None = None
    synonyms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_text("name", self.name, LONGEST_TEXT if self.text is None else LONGEST_NAME)
        for kind, text in (("text", self.text), ("prototype text", self.prototype_text)):
            if text is not None:
                _check_text(kind, text)
        synonyms: object = self.synonyms  # from outside, where nobody checks types
        if not isinstance(synonyms, list | tuple):
            raise InputError(f"the synonyms of {self.name!r} are {synonyms!r}; give a list of texts")
        object.__setattr__(self, "synonyms", tuple(synonyms))
        for synonym in self.synonyms:
            _check_text("synonym", synonym)
        folded = [fold_text(text) for text in self.texts]
        for number, text in enumerate(folded):
            if text in folded[:number]:
                raise InputError(
                    f"the category {self.name!r} has the text {self.texts[number]!r} twice; name each once"
                )

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


def _check_text(kind: str, text: str, longest: int = LONGEST_TEXT) -> None:
    if not isinstance(text, str):
        raise InputError(f"a category's {kind} is {text!r}; give a text")
    if not text.strip():
        raise InputError(f"a category's {kind} is empty; give every category a word or a short phrase")
    if len(text) > longest:
        raise InputError(
            f"a category's {kind} has {len(text)} characters, at most {longest} are read: {text[:40]!r}...; "
            "shorten it to a word or a short phrase"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"a category's {kind} is not valid Unicode text: {text!r}; give it in UTF-8")


def fold_text(text: str) -> str:
    """Return a text without what does not tell it from another one: case and white space."""
    return " ".join(text.casefold().split())


def check_categories(categories: Sequence[Category | str]) -> tuple[Category, ...]:
    """Return the categories when there is at least one and nothing appears twice.

    Names that differ only in case or white space count as one name: they get the same embedding, so that no
    pixel could be told apart. For the same reason a synonym is no text of another category.

    Args:
        categories: categories, or texts as ``parse_category`` reads them.

    Raises:
        InputError: there is no category, there are too many, or a name or text appears twice.
    """
    if isinstance(categories, str):
        raise InputError(f"the categories are one text, {categories[:40]!r}; give a list, or use parse_categories")
    if not categories:
        raise InputError("no categories given; name at least one, such as: dog, grass")
    read = tuple(parse_category(category) if isinstance(category, str) else category for category in categories)
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
