"""Dense visual features and image-text embeddings."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

import freeda_svc.torchvision_operators
from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.encoders.dense import IMAGENET_MEAN, IMAGENET_STD, DenseBackbone
    from freeda_svc.encoders.image_text import ImageTextModel
    from freeda_svc.encoders.images import Compiler, Interpolation
    from freeda_svc.encoders.mask_generator import MaskGenerator
    from freeda_svc.encoders.templates import TEMPLATES, fill
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
