"""Dense visual features and image-text embeddings."""

from typing import TYPE_CHECKING

import freeda_svc.torchvision_operators  # noqa: F401  (before transformers and open_clip)
from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.encoders.dense import IMAGENET_MEAN, IMAGENET_STD, DenseBackbone
    from freeda_svc.encoders.image_text import ImageTextModel
    from freeda_svc.encoders.images import Compiler, Interpolation
    from freeda_svc.encoders.templates import TEMPLATES, fill

__all__ = [
    "Compiler",
    "DenseBackbone",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "ImageTextModel",
    "Interpolation",
    "TEMPLATES",
    "fill",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.encoders.dense": ("DenseBackbone", "IMAGENET_MEAN", "IMAGENET_STD"),
        "freeda_svc.encoders.image_text": ("ImageTextModel",),
        "freeda_svc.encoders.images": ("Compiler", "Interpolation"),
        "freeda_svc.encoders.templates": (
            "TEMPLATES",
            "fill",
        ),
    },
)
