"""Captions: reading them from files and finding the nouns in them."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.captions.annotations import ANNOTATIONS, coco_rows
    from freeda_svc.captions.caption import LONGEST_CAPTION, Caption, CaptionTally, Noun, Span, make_caption
    from freeda_svc.captions.nouns import NounParser
    from freeda_svc.captions.readers import FORMAT_NAMES, check_separator, read_captions, take_caption
    from freeda_svc.captions.sources import opened, source_name
    from freeda_svc.captions.spool import CaptionSpool
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
