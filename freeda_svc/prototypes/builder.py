"""Captions to prototypes: the offline stage of section 3.1."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from freeda_svc.captions import Caption, Noun, NounParser
from freeda_svc.diffusion import GeneratedImage, contrast, weak_mask
from freeda_svc.packs import Pack
from freeda_svc.prototypes.appearance import embed_regions
from freeda_svc.prototypes.equations import make_keys, pool_prototype
from freeda_svc.prototypes.record import Prototype, is_storable, is_unit
from freeda_svc.prototypes.thumbnails import (
    write_attribution_thumbnail,
    write_image_thumbnail,
    write_mask_thumbnail,
)

WITHOUT_NOUNS = "captions without nouns"
CUT_OFF = "nouns beyond the tokenizer's length"
EMPTY_MASK = "nouns with an empty mask"
NOT_FINITE = "nouns with values that are not finite"

_BRIGHTEST = 255


@dataclass(frozen=True)
class BuildResult:
    """Prototypes of some captions.

    Attributes:
        prototypes: all of them finite, in the order of the captions and of the nouns in them.
        images: how many were generated, usable or not.
        counts: how often something gave no prototype, keyed by the reason; reasons that did not occur are missing.
        outside: how many of the prototypes are of nouns that the pack's models were never trained on.
    """

    prototypes: tuple[Prototype, ...]
    images: int
    counts: Mapping[str, int]
    outside: int = 0


class PrototypeBuilder:
    """Turns captions into prototypes with the models of one pack."""

    def __init__(self, pack: Pack, parser: NounParser | None = None) -> None:
        """Take a pack; its models are read with the first captions.

        Args:
            pack: whose models and parameters are used.
            parser: finds the nouns; a new one by default.
        """
        self._pack = pack
        self._parser = parser if parser is not None else NounParser()

    def build(
        self,
        captions: Sequence[Caption],
        job: str = "",
        artifacts: Path | None = None,
        on_images: Callable[[int], None] | None = None,
        on_step: Callable[[], None] | None = None,
    ) -> BuildResult:
        """Generate an image for each caption with nouns, and a prototype and a key for each noun.

        Images that show nothing, because they are not finite, of one flat colour or withheld by a safety checker, are
        counted and give nothing. A caption that comes twice counts once. The same captions give the same prototypes (up
        to rounding) however they are divided into calls.

        Args:
            captions: any number; they are generated in batches of the pack's size.
            job: id recorded in every prototype.
            artifacts: a folder; thumbnails of images and masks are written below it.
            on_images: called after each batch with the number of images generated so far.
            on_step: called before each step of the diffusion model, as `Generator.generate` does.

        Raises:
            InputError: a model of the pack cannot be used.
            UnavailableError: a thumbnail cannot be written.
        """
        unique = list(dict.fromkeys(captions))
        parsed = zip(unique, self._parser.parse([caption.text for caption in unique]), strict=True)
        work = [(caption, nouns) for caption, nouns in parsed if nouns]
        counts = Counter({WITHOUT_NOUNS: len(unique) - len(work)})
        prototypes: list[Prototype] = []
        size = self._pack.parameters.generation.batch_size
        for start in range(0, len(work), size):
            batch = work[start : start + size]
            prototypes += self._build_batch(batch, job, artifacts, counts, on_step)
            if on_images is not None:
                on_images(start + len(batch))
        known = self._pack.description.nouns
        outside = 0 if known is None else sum(prototype.noun not in known for prototype in prototypes)
        return BuildResult(tuple(prototypes), images=len(work), counts=dict(+counts), outside=outside)

    def _build_batch(
        self,
        batch: Sequence[tuple[Caption, tuple[Noun, ...]]],
        job: str,
        artifacts: Path | None,
        counts: Counter[str],
        on_step: Callable[[], None] | None,
    ) -> list[Prototype]:
        pack = self._pack
        generated = pack.generator.generate(
            [caption for caption, _ in batch], [nouns for _, nouns in batch], on_step=on_step
        )
        counts.update(str(image.unusable) for image in generated if image.unusable is not None)
        images = [image for image in generated if image.unusable is None]
        if not images:
            return []
        pixels = torch.from_numpy(np.stack([image.pixels for image in images]))
        photos = pixels.permute(0, 3, 1, 2).to(torch.float32) / _BRIGHTEST
        features = pack.backbone.features(photos)
        seen = functional.normalize(pack.image_text.embed_images(photos), dim=-1)
        said = functional.normalize(pack.image_text.embed_texts([image.caption.text for image in images]), dim=-1)
        embedded = iter(pack.image_text.embed_nouns([noun.text for image in images for noun in image.nouns]))
        pooled: list[_Pooled] = []
        for index, image in enumerate(images):
            counts[CUT_OFF] += len(image.cut_off)
            if not image.nouns:
                continue
            names = torch.stack([next(embedded) for _ in image.nouns])
            keys = make_keys(names, said[index], pack.parameters.prototypes.alpha)
            pooled += self._pool_image(image, features[index], keys, names @ seen[index], counts)
        appearances = embed_regions(pack.image_text, [(one.image.pixels, one.mask) for one in pooled])
        usable = [is_unit(appearance) for appearance in appearances]
        counts[NOT_FINITE] += usable.count(False)
        thumbnails: dict[str, str] = {}
        return [
            self._make_prototype(one, appearance, job, artifacts, thumbnails)
            for one, appearance, finite in zip(pooled, appearances, usable, strict=True)
            if finite
        ]

    def _pool_image(
        self,
        image: GeneratedImage,
        features: torch.Tensor,
        keys: torch.Tensor,
        scores: torch.Tensor,
        counts: Counter[str],
    ) -> list["_Pooled"]:
        pooled: list[_Pooled] = []
        for number, (key, score) in enumerate(zip(keys.numpy(), scores.tolist(), strict=True)):
            attribution = image.attributions[number]
            mask = weak_mask(attribution, self._pack.parameters.prototypes.gamma)
            vector = pool_prototype(features, mask)
            if vector is None or not is_storable(vector, key) or not math.isfinite(score):
                empty = vector is None and np.isfinite(attribution).all() and bool(features.isfinite().all())
                counts[EMPTY_MASK if empty else NOT_FINITE] += 1
                continue
            pooled.append(_Pooled(image, number, mask, vector, key.copy(), score))
        return pooled

    def _make_prototype(
        self,
        pooled: "_Pooled",
        appearance: npt.NDArray[np.float32],
        job: str,
        artifacts: Path | None,
        thumbnails: dict[str, str],
    ) -> Prototype:
        image, mask = pooled.image, pooled.mask
        noun, attribution = image.nouns[pooled.number], image.attributions[pooled.number]
        caption = image.caption
        shown: dict[str, str] = {}
        if artifacts is not None:
            name = f"{caption.id}-{self._pack.fingerprint}"  # other packs draw other images of the same caption
            if name not in thumbnails:
                thumbnails[name] = write_image_thumbnail(artifacts, name, image.pixels)
            shown = {
                "image": thumbnails[name],
                "mask": write_mask_thumbnail(artifacts, name, noun.text, mask),
                "attribution": write_attribution_thumbnail(artifacts, name, noun.text, attribution),
            }
        return Prototype(
            noun=noun.text,
            caption_id=caption.id,
            caption=caption.text,
            spans=noun.spans,
            seed=image.seed,
            key=pooled.key,
            vector=pooled.vector,
            mask_area=float(mask.mean()),
            contrast=contrast(attribution, mask),
            image_text_score=pooled.score,
            pack=self._pack.fingerprint,
            encoders=self._pack.encoders_fingerprint,
            generator=self._pack.description.generator,
            job=job,
            appearance=appearance,
            **shown,
        )


@dataclass(frozen=True, eq=False)
class _Pooled:
    """A noun of an image with a usable vector, key and score; ``number`` is its place among the image's nouns."""

    image: GeneratedImage
    number: int
    mask: npt.NDArray[np.bool_]
    vector: npt.NDArray[np.float32]
    key: npt.NDArray[np.float32]
    score: float
