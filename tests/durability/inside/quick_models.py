"""Models that take no time, in place of a pack's: what comes out follows from what goes in, and looks like the real.

Everything around them is the service's own: bank, artifacts, results, database, messages.
"""

import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from interference import reach

if TYPE_CHECKING:
    from freeda_svc.captions.caption import Caption
    from freeda_svc.images.pixels import LoadedImage
    from freeda_svc.prototypes.record import Prototype

DIMENSION = 8
SIDE = 16
SECONDS_AN_IMAGE = 0.01
NOUNS = ("dog", "cat", "cow", "tree", "house", "road")


def use_in(resources: ModuleType) -> None:
    """Change ``freeda_svc.workers.resources`` so that its processes use these models."""
    resources.Resources.pack = property(lambda self: _pack(self.settings.pack))
    resources.Resources.builder = property(lambda self: QuickBuilder(self.pack))
    resources.Resources.prepare = lambda self, kind: None
    resources.Resources.try_models = lambda self, *, generator=False: None
    resources.Resources.segmenter = lambda self, bank: QuickSegmenter(self.pack, self.bank(bank), str(bank))
    # What it imports needs torch, which takes longer to import than everything else together.
    sys.modules["freeda_svc.segmentation.evidence_plain"] = SimpleNamespace(  # type: ignore[assignment]
        proposal_values=None, evidence_values=None
    )


def _pack(folder: str) -> SimpleNamespace:
    from freeda_svc.packs.description import read_pack_parameters  # noqa: PLC0415 - a process that makes nothing
    from freeda_svc.packs.precision import Computing  # noqa: PLC0415 - as above

    description = read_pack_parameters(folder)
    return SimpleNamespace(
        name=description.name,
        device="cpu",
        computing=Computing(device="cpu", generator="float32", encoders="float32"),
        description=description,
        fingerprint=description.fingerprint,
        encoders_fingerprint=description.encoders_fingerprint,
        parameters=description.parameters,
        image_text=SimpleNamespace(dimension=DIMENSION),
        backbone=SimpleNamespace(dimension=DIMENSION),
    )


def _noise(*what: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(" ".join(what).encode()))


class QuickBuilder:
    """Makes a prototype of each noun in a caption, as ``PrototypeBuilder`` does."""

    def __init__(self, pack: SimpleNamespace) -> None:
        self._pack = pack

    def build(
        self,
        captions: "Sequence[Caption]",
        job: str,
        artifacts: Path,
        on_images: object = None,
        on_step: Callable[[], None] = lambda: None,
    ) -> SimpleNamespace:
        prototypes = []
        for caption in captions:
            on_step()
            prototypes += self._image(caption, job, artifacts)
        return SimpleNamespace(prototypes=tuple(prototypes), images=len(captions), counts={}, outside=0)

    def _image(self, caption: "Caption", job: str, artifacts: Path) -> "list[Prototype]":
        from freeda_svc.prototypes.record import Prototype  # noqa: PLC0415 - as above
        from freeda_svc.prototypes.thumbnails import write_image_thumbnail, write_mask_thumbnail  # noqa: PLC0415

        pixels = _noise(caption.id).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        image = write_image_thumbnail(artifacts, caption.id, pixels)
        time.sleep(SECONDS_AN_IMAGE)
        reach("generating")
        made = []
        for noun in (noun for noun in NOUNS if noun in caption.text.split()):
            noise = _noise(caption.id, noun)
            mask = noise.random((SIDE, SIDE)) < 0.5
            made.append(
                Prototype(
                    noun=noun,
                    caption_id=caption.id,
                    caption=caption.text,
                    spans=((caption.text.index(noun), caption.text.index(noun) + len(noun)),),
                    seed=zlib.crc32(caption.id.encode()),
                    key=noise.normal(size=DIMENSION).astype(np.float32),
                    vector=noise.normal(size=DIMENSION).astype(np.float32),
                    mask_area=float(mask.mean()),
                    contrast=0.5,
                    image_text_score=0.25,
                    pack=self._pack.fingerprint,
                    encoders=self._pack.encoders_fingerprint,
                    job=job,
                    image=image,
                    mask=write_mask_thumbnail(artifacts, caption.id, noun, mask),
                )
            )
        return made


class QuickSegmenter:
    """Labels each pixel by its red value, as if that were what ``Segmenter`` finds."""

    def __init__(self, pack: SimpleNamespace, store: object, bank: str) -> None:
        self._pack, self._bank = pack, bank

    def segment(self, image: "LoadedImage", categories: Sequence[Any], parameters: object) -> SimpleNamespace:
        time.sleep(SECONDS_AN_IMAGE)
        reach("segmenting")
        labels = image.pixels[..., 0].astype(np.int32) % len(categories)
        scores = (image.pixels[..., 1] / 255).astype(np.float32)
        return SimpleNamespace(
            labels=labels,
            categories=tuple(categories),
            scores=[self._score(labels == index, scores) for index in range(len(categories))],
            regions=1,
            windows=1,
            parameters=parameters,
            pack=self._pack.fingerprint,
            encoders={},
            bank=self._bank,
            bank_revision=None,
            unknown_share=0.0,
            transparent_share=0.0,
            timings={},
            pixel_scores=scores,
            words=(),
            region_scores=SimpleNamespace(map=np.zeros(labels.shape, np.int32), scores=scores[:1, : len(categories)]),
        )

    def _score(self, there: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> SimpleNamespace:
        mean = float(scores[there].mean()) if there.any() else None
        share = float(there.mean())
        return SimpleNamespace(score=mean, highest_score=float(scores.max()), area_share=share, absent=mean is None)
