"""Images from captions, and where in them the captions' nouns were drawn."""

import freeda_svc.torchvision_operators  # noqa: F401  (before diffusers)
from freeda_svc.diffusion.attribution import AttentionRecorder, TokenColumns, find_token_columns
from freeda_svc.diffusion.generator import GeneratedImage, Generator
from freeda_svc.diffusion.masks import contrast, weak_mask

__all__ = [
    "AttentionRecorder",
    "GeneratedImage",
    "Generator",
    "TokenColumns",
    "contrast",
    "find_token_columns",
    "weak_mask",
]
