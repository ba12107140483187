"""The categories a person asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from freeda_svc.errors import InputError

LONGEST_TEXT = 200
"""Longest name or text of a category, characters; text encoders read little more and cut the rest off silently."""


def _check_text(kind: str, text: str) -> None:
    if not text.strip():
        raise InputError(f"a category's {kind} is empty; give every category a word or a short phrase")
    if len(text) > LONGEST_TEXT:
        raise InputError(
            f"a category's {kind} has {len(text)} characters, at most {LONGEST_TEXT} are read: {text[:40]!r}...; "
            "shorten it to a word or a short phrase"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"a category's {kind} is not valid Unicode text: {text!r}; give it in UTF-8")


@dataclass(frozen=True)
class Category:
    """A category to find.

    Attributes:
        name: what it is called in results, exactly as typed.
        text: the text that is embedded and compared with the image; the name when None.
        prototype_text: the text whose prototypes are fetched; that of ``text`` when None.

    Raises:
        InputError: a name or text is empty, too long or not valid Unicode.
    """

    name: str
    text: str | None = None
    prototype_text: str | None = None

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        for kind, text in (("text", self.text), ("prototype text", self.prototype_text)):
            if text is not None:
                _check_text(kind, text)

    @property
    def embedded_text(self) -> str:
        """The text that is embedded for the global similarity."""
        return self.name if self.text is None else self.text

    @property
    def retrieval_text(self) -> str:
        """The text whose prototypes are fetched for the local similarity."""
        return self.embedded_text if self.prototype_text is None else self.prototype_text


def check_categories(categories: Sequence[Category]) -> tuple[Category, ...]:
    """Return the categories when there is at least one and no name appears twice.

    Names that differ only in case or white space count as one name: they get the same embedding, so that no
    pixel could be told apart.

    Raises:
        InputError: there is no category, or a name appears twice.
    """
    if not categories:
        raise InputError("no categories given; name at least one, such as: dog, grass")
    seen: dict[str, str] = {}
    for category in categories:
        folded = " ".join(category.name.casefold().split())
        if folded in seen:
            raise InputError(f"the category {category.name!r} is given twice; name every category once")
        seen[folded] = category.name
    return tuple(categories)


def parse_categories(text: str) -> tuple[Category, ...]:
    """Read a list of category names separated by commas, such as ``dog, traffic light``.

    Raises:
        InputError: the list or one of its names is empty, or a name appears twice.
    """
    if not text.strip():
        return check_categories(())
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise InputError(
            f"category {names.index('') + 1} of {text.strip()!r} is empty; write names separated by single commas"
        )
    return check_categories([Category(name) for name in names])
