"""Dense visual features and image-text embeddings."""

import freeda_svc.torchvision_operators  # noqa: F401  (before transformers and open_clip)
from freeda_svc.encoders.dense import DenseBackbone
from freeda_svc.encoders.image_text import ImageTextModel
from freeda_svc.encoders.templates import TEMPLATES, fill

__all__ = ["DenseBackbone", "ImageTextModel", "TEMPLATES", "fill"]
