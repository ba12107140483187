"""Captions: reading them from files and finding the nouns in them."""

from freeda_svc.captions.caption import Caption, Noun, Span, make_caption
from freeda_svc.captions.nouns import NounParser
from freeda_svc.captions.readers import read_captions

__all__ = ["Caption", "Noun", "NounParser", "Span", "make_caption", "read_captions"]
