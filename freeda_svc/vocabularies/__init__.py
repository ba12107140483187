"""Vocabularies of well-known datasets: their classes, in order, with the colours in which they are usually shown."""

from freeda_svc.images import voc_colours
from freeda_svc.vocabularies.files import list_vocabularies, load_vocabulary
from freeda_svc.vocabularies.vocabulary import Vocabulary

__all__ = ["Vocabulary", "list_vocabularies", "load_vocabulary", "voc_colours"]
