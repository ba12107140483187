"""Labelling configurations of Label Studio: which words to look for in which image, and how marks are written.

A label is looked for by its ``value``, which may name synonyms (``boat|ship``). It is looked for by other words where
it says so: by ``predicted_values="boat, ship"``, the attribute that backends for Label Studio commonly read, or by an
``alias`` that holds a ``|``. In results a label is called by its alias where it has one, as the editor itself does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from freeda_svc.errors import InputError, one_line
from freeda_svc.outputs.mark_controls import MarkControl, MarkKind
from freeda_svc.parameters import Category, fold_text, read_category

LONGEST_CONFIG = 1_000_000
"""Characters."""
OPTION = "freeda_"
"""How attributes begin that hold parameters, such as ``freeda_background`` or ``freeda_k``."""

_KINDS = {"brushlabels": MarkKind.BRUSH, "polygonlabels": MarkKind.POLYGON, "rectanglelabels": MarkKind.RECTANGLE}
_SEPARATOR = "|"


@dataclass(frozen=True)
class LabelledImage:
    """An image of each task, and what is marked in it.

    Attributes:
        name: of its tag.
        field: of a task's data, where its address is.
        categories: what to look for.
        controls: with which marks are made, each with some of the categories.
        options: parameters of the segmentation by name, as text.
    """

    name: str
    field: str
    categories: tuple[Category, ...]
    controls: tuple[MarkControl, ...]
    options: Mapping[str, str]


def read_label_config(text: str) -> list[LabelledImage]:
    """Read a labelling configuration.

    Args:
        text: XML.

    Returns:
        The images in which something is marked by brush, polygon or rectangle; at least one.

    Raises:
        InputError: it cannot be read, has no such labels, or its parameters contradict each other.
    """
    view = _parse(text)
    images = {tag.get("name", ""): tag for tag in view.iter() if tag.tag.lower() == "image"}
    found = []
    for name, image in images.items():
        controls = [tag for tag in view.iter() if tag.tag.lower() in _KINDS and _targets(tag) == [name]]
        if any(_labels(tag) for tag in controls):
            found.append(_labelled(name, image, controls))
    if not found:
        raise InputError(
            "the labelling configuration has no labels that can be predicted: it needs an Image, and a BrushLabels, "
            "PolygonLabels or RectangleLabels with toName set to it and with Labels inside"
        )
    return found


def _parse(text: str) -> ET.Element:
    if len(text) > LONGEST_CONFIG:
        raise InputError(f"the labelling configuration has {len(text):,} characters; {LONGEST_CONFIG:,} are taken")
    if "<!DOCTYPE" in text.upper():
        raise InputError("the labelling configuration declares a document type; leave that out")
    try:
        return ET.fromstring(text)  # noqa: S314 - without a document type it declares no entities
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"the labelling configuration is no XML that can be read: {one_line(error)}") from error


def _targets(control: ET.Element) -> list[str]:
    return [name.strip() for name in control.get("toName", "").split(",")]


def _labels(control: ET.Element) -> list[ET.Element]:
    return [tag for tag in control.iter() if tag.tag.lower() == "label" and _written(tag)]


def _written(label: ET.Element) -> str:
    """What results call a label."""
    return label.get("alias") or label.get("value") or ""


def _labelled(name: str, image: ET.Element, controls: list[ET.Element]) -> LabelledImage:
    value = image.get("value", "")
    field = value.removeprefix("$")
    if not field or not value.startswith("$"):
        raise InputError(f'the Image {name!r} must name the field of a task that holds its address, as value="$image"')
    options = dict(_options([image, *controls]))
    categories: dict[tuple[str, ...], Category] = {}
    read = []
    for control in controls:
        written: dict[str, str] = {}
        for label in _labels(control):
            category = _category(label)
            kept = categories.setdefault(tuple(map(fold_text, category.texts)), category)
            written.setdefault(kept.name, _written(label))
        if written:
            read.append(MarkControl(control.get("name", ""), name, _KINDS[control.tag.lower()], written))
    return LabelledImage(name, field, _distinct(categories), tuple(read), options)


def _distinct(categories: Mapping[tuple[str, ...], Category]) -> tuple[Category, ...]:
    names = [category.name for category in categories.values()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"the label {twice!r} is looked for by different words in different controls; let them agree")
    return tuple(categories.values())


def _category(label: ET.Element) -> Category:
    value, alias = label.get("value", ""), label.get("alias", "")
    shown = value or alias
    if label.get("predicted_values"):
        words = label.get("predicted_values", "").split(",")
    elif _SEPARATOR in alias:
        words = alias.split(_SEPARATOR)
    else:
        return read_category(shown)
    texts = list(dict.fromkeys(word.strip() for word in words if word.strip()))
    if not texts:
        raise InputError(f"the label {shown!r} says to look for other words, and names none")
    return Category(shown, text=texts[0], synonyms=texts[1:])


def _options(tags: list[ET.Element]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for tag in tags:
        for attribute, value in tag.attrib.items():
            if not attribute.startswith(OPTION):
                continue
            name = attribute.removeprefix(OPTION)
            if seen.setdefault(name, value) != value:
                raise InputError(
                    f"{attribute} is {seen[name]!r} in one place and {value!r} in another, but holds for the whole "
                    "image; say it once"
                )
            yield name, value
