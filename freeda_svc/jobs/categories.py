"""The categories of a segmentation request, as plain values that a database keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from freeda_svc.errors import InputError
from freeda_svc.segmentation.categories import Category, parse_category
from freeda_svc.segmentation.categories import check_categories as check_together

CATEGORY_KEYS = tuple(field.name for field in fields(Category))


def check_categories(categories: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Check categories and leave out what is not given.

    Args:
        categories: mappings with ``name`` and, where they differ from it, ``text`` (what is embedded),
            ``prototype_text`` (whose prototypes are fetched) and ``synonyms`` (a list of further texts). A name alone
            may hold synonyms: ``cat|kitten``.

    Returns:
        The same as plain dictionaries, for JSON, from which ``Category`` can be made.

    Raises:
        InputError: no category, one without name, an unknown key, an unusable text, or a name or text twice.
    """
    read = check_together([_read_category(category) for category in categories])
    return [_plain(category) for category in read]


def _read_category(category: Mapping[str, Any]) -> Category:
    unknown = set(category) - set(CATEGORY_KEYS)
    if unknown:
        raise InputError(f"a category has {', '.join(CATEGORY_KEYS)}, not {', '.join(sorted(unknown))}")
    given = {key: value for key, value in category.items() if value is not None}
    if not isinstance(given.get("name"), str):
        raise InputError("a category has no name; leave out empty entries")
    return parse_category(given["name"]) if len(given) == 1 else Category(**given)


def _plain(category: Category) -> dict[str, Any]:
    values = {"name": category.name, "text": category.text, "prototype_text": category.prototype_text}
    synonyms = {"synonyms": list(category.synonyms)} if category.synonyms else {}
    return {key: value for key, value in values.items() if value is not None} | synonyms
