"""Captions: reading them from files and finding the nouns in them."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
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

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.captions.caption": (
            "LONGEST_CAPTION",
            "Caption",
            "Noun",
            "Span",
            "make_caption",
        ),
        "freeda_svc.captions.nouns": ("NounParser",),
        "freeda_svc.captions.readers": (
            "FORMAT_NAMES",
            "check_separator",
            "read_captions",
        ),
        "freeda_svc.captions.spool": ("CaptionSpool",),
        "freeda_svc.captions.tally": ("CaptionTally",),
    },
)
