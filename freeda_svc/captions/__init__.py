"""Captions: reading them from files and finding the nouns in them."""

from freeda_svc.captions.caption import LONGEST_CAPTION, Caption, Noun, Span, make_caption
from freeda_svc.captions.nouns import NounParser
from freeda_svc.captions.readers import FORMAT_NAMES, check_separator, read_captions
from freeda_svc.captions.spool import CaptionSpool
from freeda_svc.captions.tally import CaptionTally

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
    "CaptionSpool",
    "CaptionTally",
]
