"""Vocabularies of well-known datasets: their classes, in order, with the colours in which they are usually shown."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.images import voc_colours
    from freeda_svc.vocabularies.choice import ChosenCategories, choose_categories
    from freeda_svc.vocabularies.vocabulary import Vocabulary, list_vocabularies, load_vocabulary

__all__ = ["ChosenCategories", "Vocabulary", "choose_categories", "list_vocabularies", "load_vocabulary", "voc_colours"]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.images": ("voc_colours",),
        "freeda_svc.vocabularies.choice": ("ChosenCategories", "choose_categories"),
        "freeda_svc.vocabularies.vocabulary": ("Vocabulary", "list_vocabularies", "load_vocabulary"),
    },
)
