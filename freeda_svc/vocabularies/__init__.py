"""Vocabularies of well-known datasets: their classes, in order, with the colours in which they are usually shown."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.images import voc_colours
    from freeda_svc.vocabularies.choice import ChosenCategories, choose_categories
    from freeda_svc.vocabularies.vocabulary import Vocabulary, list_vocabularies, load_vocabulary
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
