"""The miniature pack's numbers and sources, written beside its trained models.

The numbers were chosen on validation scenes; the test scenes of the demonstration took no part.
"""

from pathlib import Path

from freeda_svc.miniature.scenes import NOUNS
from freeda_svc.packs import write_pack_manifest
from freeda_svc.parameters import (
    GenerationParameters,
    PackParameters,
    PrototypeParameters,
    SegmentationParameters,
    Source,
    SuperpixelParameters,
    UnknownParameters,
)

PARAMETERS = PackParameters(
    backbone_size=64,
    image_text_size=64,
    generation=GenerationParameters(steps=20, guidance_scale=4.0, height=64, width=64, batch_size=8),
    prototypes=PrototypeParameters(gamma=0.5, alpha=0.9),
    segmentation=SegmentationParameters(
        k=15,
        beta=0.8,
        short_side=64,
        long_side=2048,
        window=64,
        stride=32,
        superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=20.0, sigma=0.5, min_size=8),
        unknown=UnknownParameters(way="none", threshold=0.58, local_threshold=0.64),  # decision 7
    ),
)

_LICENCE = "Apache-2.0"
_ORIGIN = "trained by `make miniature` of this repository"
SOURCES = {
    "generator": Source(
        description="latent text-to-image model of 2.4 million weights for painted 64 x 64 scenes",
        licence=_LICENCE,
        origin=_ORIGIN,
        commercial_use="free",
    ),
    "backbone": Source(
        description="DINOv2 architecture of 0.4 million weights, trained on painted scenes",
        licence=_LICENCE,
        origin=_ORIGIN,
        commercial_use="free",
    ),
    "image_text": Source(
        description="open_clip model of 0.5 million weights for painted scenes",
        licence=_LICENCE,
        origin=_ORIGIN,
        commercial_use="free",
    ),
}


def write_pack(folder: Path) -> None:
    """Write ``pack.toml`` beside the three trained models in ``folder``."""
    write_pack_manifest(
        folder,
        name="miniature",
        version="1",
        description="A painted world of fourteen nouns at 64 x 64 pixels, for seeing and testing everything",
        parameters=PARAMETERS,
        sources=SOURCES,
        nouns=NOUNS,
    )
