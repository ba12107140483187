"""One list of categories from a vocabulary, single categories and the words of a background."""

from dataclasses import dataclass

from freeda_svc.parameters import Category, CategoryChoice, Colour, check_categories

BACKGROUND = "background"


@dataclass(frozen=True)
class ChosenCategories:
    """Categories to segment into.

    Attributes:
        categories: all of them, in the order of their labels.
        colours: RGB of the first of them, where they have colours of their own: those of the vocabulary.
        classes: how many come from the vocabulary; 0 where none was named.
        background: whether one of them is a background.
    """

    categories: tuple[Category, ...]
    colours: tuple[Colour, ...] = ()
    classes: int = 0
    background: bool = False


def choose_categories(choice: CategoryChoice) -> ChosenCategories:
    """Join a vocabulary's classes, further categories and a background.

    The background's words take the place of the vocabulary's own background, where it has one.

    Raises:
        InputError: nothing is named, or a name or text appears twice.
    """
    classes: tuple[Category, ...] = ()
    colours: tuple[Colour, ...] = ()
    folded: tuple[Category, ...] = ()
    if choice.background:
        folded = (Category(BACKGROUND, text=choice.background[0], synonyms=choice.background[1:]),)
    has_background = bool(folded)
    if choice.vocabulary is not None:
        from freeda_svc.vocabularies.vocabulary import load_vocabulary  # noqa: PLC0415 - brings Pillow, for colours

        vocabulary = load_vocabulary(choice.vocabulary)
        classes = vocabulary.categories
        colours = tuple((red, green, blue) for red, green, blue in vocabulary.colours.tolist())
        has_background = has_background or vocabulary.background
        if vocabulary.background and folded:
            classes = (folded[0].replace(name=classes[0].name), *classes[1:])
            folded = ()
    joined = check_categories((*classes, *choice.categories, *folded))
    return ChosenCategories(joined, colours, len(classes), has_background)
