"""Captions: reading them from files and finding the nouns in them."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.captions.annotations import ANNOTATIONS, coco_rows
    from freeda_svc.captions.caption import LONGEST_CAPTION, Caption, CaptionTally, Noun, Span, make_caption
    from freeda_svc.captions.nouns import NounParser
    from freeda_svc.captions.readers import FORMAT_NAMES, check_separator, read_captions, take_caption
    from freeda_svc.captions.sources import called, opened
    from freeda_svc.captions.spool import CaptionSpool

__all__ = [
    "Caption",
    "Noun",
    "Span",
    "LONGEST_CAPTION",
    "make_caption",
    "NounParser",
    "FORMAT_NAMES",
    "check_separator",
    "read_captions",
    "take_caption",
    "CaptionSpool",
    "CaptionTally",
    "ANNOTATIONS",
    "coco_rows",
    "called",
    "opened",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.captions.annotations": ["ANNOTATIONS", "coco_rows"],
        "freeda_svc.captions.caption": ["LONGEST_CAPTION", "Caption", "CaptionTally", "Noun", "Span", "make_caption"],
        "freeda_svc.captions.nouns": ["NounParser"],
        "freeda_svc.captions.readers": ["FORMAT_NAMES", "check_separator", "read_captions", "take_caption"],
        "freeda_svc.captions.sources": ["called", "opened"],
        "freeda_svc.captions.spool": ["CaptionSpool"],
    },
)
