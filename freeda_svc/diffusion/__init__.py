"""Images from captions, and where in them the captions' nouns were drawn."""

import freeda_svc.torchvision_operators  # before diffusers
from freeda_svc.diffusion.attribution import AttentionRecorder
from freeda_svc.diffusion.columns import TokenColumns, find_shared_token_columns, find_token_columns
from freeda_svc.diffusion.decoding import Unusable, is_flat
from freeda_svc.diffusion.generator import GeneratedImage, Generator
from freeda_svc.diffusion.masks import contrast, weak_mask
from freeda_svc.diffusion.observed import PIPELINES
from freeda_svc.diffusion.recording import cross_attention_layers, recording

__all__ = [
    "AttentionRecorder",
    "PIPELINES",
    "GeneratedImage",
    "Generator",
    "TokenColumns",
    "Unusable",
    "contrast",
    "cross_attention_layers",
    "find_shared_token_columns",
    "find_token_columns",
    "is_flat",
    "recording",
    "weak_mask",
]
