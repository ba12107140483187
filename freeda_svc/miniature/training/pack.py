"""The miniature packs' numbers and sources, written beside their trained models.

The numbers were chosen on validation scenes of each world (decision 7); the test scenes of the demonstration took no
part, nor did the scenes by which `freeda eval miniature --ablate` measures the wide pack.
"""

from collections.abc import Mapping
from pathlib import Path

from freeda_svc.miniature.training.plans import TrainingPlan
from freeda_svc.miniature.worlds import SMALL, WIDE
from freeda_svc.packs import write_pack_manifest
from freeda_svc.parameters import (
    GenerationParameters,
    PackParameters,
    PrototypeParameters,
    RefinementParameters,
    SegmentationParameters,
    Source,
    SuperpixelParameters,
    UnknownParameters,
)


def _parameters(k: int, refinement: RefinementParameters) -> PackParameters:
    return PackParameters(
        backbone_size=64,
        image_text_size=64,
        generation=GenerationParameters(steps=20, guidance_scale=4.0, height=64, width=64, batch_size=8),
        prototypes=PrototypeParameters(gamma=0.5, alpha=0.9),
        segmentation=SegmentationParameters(
            k=k,
            beta=0.8,
            short_side=64,
            long_side=2048,
            window=64,
            stride=32,
            superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=20.0, sigma=0.5, min_size=8),
            unknown=UnknownParameters(way="none", threshold=0.58, local_threshold=0.64),  # decision 7
            refinement=refinement,
        ),
    )


PARAMETERS: Mapping[str, PackParameters] = {
    SMALL.name: _parameters(k=15, refinement=RefinementParameters(way="none")),
    WIDE.name: _parameters(k=20, refinement=RefinementParameters(way="pamr", dilations=(1, 2, 4))),
}
"""By the name of the world, which is the pack's."""

_BYTES_EACH = 2  # of a weight in half precision


def _sources(folder: Path, plan: TrainingPlan) -> dict[str, Source]:
    def source(description: str, weights: str) -> Source:
        millions = (folder / weights).stat().st_size / _BYTES_EACH / 1e6
        return Source(
            description=description.format(millions=millions),
            licence="Apache-2.0",
            origin=f"trained by `{plan.made_by}` of this repository",
            commercial_use="free",
        )

    return {
        "generator": source(
            "latent text-to-image model of {millions:.1f} million weights for painted 64 x 64 scenes",
            "generator/unet/diffusion_pytorch_model.safetensors",
        ),
        "backbone": source(
            "DINOv2 architecture of {millions:.1f} million weights, trained on painted scenes",
            "backbone/model.safetensors",
        ),
        "image_text": source(
            "open_clip model of {millions:.1f} million weights for painted scenes",
            "image_text/open_clip_model.safetensors",
        ),
    }


def write_pack(folder: Path, plan: TrainingPlan) -> None:
    """Write ``pack.toml`` beside the three trained models in ``folder``.

    Its nouns are the words that the image-text model was trained on.
    """
    write_pack_manifest(
        folder,
        name=plan.world.name,
        version="1",
        description=plan.description,
        parameters=PARAMETERS[plan.world.name],
        sources=_sources(folder, plan),
        nouns=tuple(dict.fromkeys(word.text for word in plan.world.vocabulary("image_text"))),
    )
