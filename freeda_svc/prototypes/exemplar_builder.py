"""Exemplars to prototypes: the encoders' half of the offline stage."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch.nn import functional

from freeda_svc.batching import batched
from freeda_svc.diffusion import is_flat
from freeda_svc.packs import Pack
from freeda_svc.prototypes.appearance import embed_regions
from freeda_svc.prototypes.builder import EMPTY_MASK, NOT_FINITE, BuildResult
from freeda_svc.prototypes.equations import make_keys, pool_prototype
from freeda_svc.prototypes.exemplars import Exemplar, find_mentions
from freeda_svc.prototypes.object_windows import make_photo, window_around
from freeda_svc.prototypes.record import EXEMPLAR, Prototype, is_storable, is_unit
from freeda_svc.prototypes.thumbnails import write_image_thumbnail, write_mask_thumbnail

EXEMPLARS_AT_ONCE = 8
CONTRAST = 1.0
"""The contrast recorded for an exemplar: a drawn mask is all attention inside and none outside."""

FLAT = "exemplars of one flat colour"

_SEED = 0


class ExemplarBuilder:
    """Turns exemplars into prototypes with the encoders of one pack; its generator is never read."""

    def __init__(self, pack: Pack) -> None:
        """Take a pack; its encoders are read with the first exemplars."""
        self._pack = pack

    def build(
        self,
        exemplars: Iterable[Exemplar],
        job: str = "",
        artifacts: Path | None = None,
        on_images: Callable[[int], None] | None = None,
    ) -> BuildResult:
        """Make a prototype (eq. 2) and a key (eq. 3) of each exemplar, from the window around its mask.

        Args:
            exemplars: any number, taken ``EXEMPLARS_AT_ONCE`` at once.
            job: id recorded in every prototype.
            artifacts: a folder; thumbnails of windows and masks are written below it.
            on_images: called after each batch with the number of exemplars done so far.

        Returns:
            The prototypes, in the order of the exemplars, with the number of exemplars as ``images``. Masks that are
            too thin to weigh anything on the feature grid are counted, and what is one flat colour around its mask.

        Raises:
            InputError: a model of the pack cannot be used, or what the exemplars are read from.
            UnavailableError: a thumbnail cannot be written.
        """
        counts: Counter[str] = Counter()
        prototypes: list[Prototype] = []
        done = 0
        for batch in batched(exemplars, EXEMPLARS_AT_ONCE):
            prototypes += self._build_batch(batch, job, artifacts, counts)
            done += len(batch)
            if on_images is not None:
                on_images(done)
        known = self._pack.description.nouns
        outside = 0 if known is None else sum(prototype.noun not in known for prototype in prototypes)
        return BuildResult(tuple(prototypes), images=done, counts=dict(+counts), outside=outside)

    def _build_batch(
        self, given: Sequence[Exemplar], job: str, artifacts: Path | None, counts: Counter[str]
    ) -> list[Prototype]:
        pack = self._pack
        around = [(exemplar, window_around(exemplar.mask)) for exemplar in given]
        shown_flat = [is_flat(window.cut(exemplar.pixels)) for exemplar, window in around]
        counts[FLAT] += sum(shown_flat)
        batch = [exemplar for (exemplar, _), flat in zip(around, shown_flat, strict=True) if not flat]
        windows = [window for (_, window), flat in zip(around, shown_flat, strict=True) if not flat]
        if not batch:
            return []
        photos = torch.stack(
            [
                make_photo(window.cut(exemplar.pixels), pack.backbone.size)
                for exemplar, window in zip(batch, windows, strict=True)
            ]
        )
        features = pack.backbone.features(photos)
        seen = functional.normalize(pack.image_text.embed_images(photos), dim=-1)
        said = functional.normalize(pack.image_text.embed_texts([exemplar.caption for exemplar in batch]), dim=-1)
        names = pack.image_text.embed_nouns([exemplar.noun for exemplar in batch])
        appearances = embed_regions(pack.image_text, [(exemplar.pixels, exemplar.mask) for exemplar in batch])
        prototypes: list[Prototype] = []
        for index, (exemplar, window) in enumerate(zip(batch, windows, strict=True)):
            mask = window.cut(exemplar.mask)
            vector = pool_prototype(features[index], mask)
            made = make_keys(names[index : index + 1], said[index], pack.parameters.prototypes.alpha)[0]
            key, score = made.numpy().copy(), float(names[index] @ seen[index])
            storable = vector is not None and is_storable(vector, key) and is_unit(appearances[index])
            if vector is None or not storable or not math.isfinite(score):
                empty = vector is None and bool(features[index].isfinite().all())
                counts[EMPTY_MASK if empty else NOT_FINITE] += 1
                continue
            shown: dict[str, str] = {}
            if artifacts is not None:
                shown = {
                    "image": write_image_thumbnail(artifacts, exemplar.id, window.cut(exemplar.pixels)),
                    "mask": write_mask_thumbnail(artifacts, exemplar.id, exemplar.noun, mask),
                }
            prototypes.append(
                Prototype(
                    noun=exemplar.noun,
                    caption_id=exemplar.id,
                    caption=exemplar.caption,
                    spans=find_mentions(exemplar.noun, exemplar.caption),
                    seed=_SEED,
                    key=key,
                    vector=vector,
                    mask_area=float(mask.mean()),
                    contrast=CONTRAST,
                    image_text_score=score,
                    pack=pack.fingerprint,
                    encoders=pack.encoders_fingerprint,
                    job=job,
                    origin=EXEMPLAR,
                    appearance=appearances[index],
                    **shown,
                )
            )
        return prototypes
