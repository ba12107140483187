"""A prototype with all that is kept about it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.captions import Span

GENERATED = "generated"
EXEMPLAR = "exemplar"
IMPORTED = "imported"
ORIGINS = (GENERATED, EXEMPLAR, IMPORTED)

LARGEST_VALUE = float(np.finfo(np.float16).max)
"""Of a prototype's vector: banks keep it in half precision."""

UNIT_LENGTH_TOLERANCE = 1e-3
"""How far the length of an appearance may be from 1: rounding its values to float16 changes it by 5e-4 at most."""


@dataclass(frozen=True, eq=False)
class Prototype:
    """One noun of one generated image, as it is stored in the bank.

    Attributes:
        noun: the word, lower case and singular.
        caption_id: id of the caption the image was generated from.
        caption: its text.
        spans: where the noun is mentioned in the caption.
        seed: seed of the image's initial noise.
        key: (Dt,) float32, eq. 3, finite.
        vector: (Dv,) float32, eq. 2, finite.
        mask_area: share of the image under the weak mask, 0 to 1.
        contrast: mean attribution under the mask less the mean outside, after scaling to 0..1.
        image_text_score: cosine of the noun's and the generated image's embeddings.
        pack: fingerprint of the pack that made it.
        encoders: that of the pack's encoders, which a bank checks; empty where it was made before packs could be mixed
            in a bank, which then holds those of one pack.
        generator: what the model that drew the image is called; empty when none drew it, or it is not known.
        job: id of the job that made it; empty when made outside the service.
        origin: ``generated``, ``exemplar`` (of a person's own image and mask) or ``imported`` (from a bank that keeps
            neither nouns nor captions).
        outlier: why retrieval leaves it out; empty when it does not.
        image: path of the generated image's thumbnail below the artifact root; empty when not kept.
        mask: path of the weak mask's thumbnail below the artifact root; empty when not kept.
        attribution: path of the attribution's thumbnail below the artifact root; empty when not kept.
        appearance: (Dt,) float32 of unit length, the image-text model's feature of the image region under the mask
            (decision 29); banks keep it in half precision and do not search it. None where none was made.
    """

    noun: str
    caption_id: str
    caption: str
    spans: tuple[Span, ...]
    seed: int
    key: npt.NDArray[np.float32]
    vector: npt.NDArray[np.float32]
    mask_area: float
    contrast: float
    image_text_score: float
    pack: str
    job: str = ""
    origin: str = GENERATED
    outlier: str = ""
    image: str = ""
    mask: str = ""
    attribution: str = ""
    appearance: npt.NDArray[np.float32] | None = None
    encoders: str = ""
    generator: str = ""


def is_unit(appearance: npt.NDArray[np.float32]) -> bool:
    """Return whether an appearance (Dt,) is finite and of unit length, up to rounding to float16."""
    # a comparison with NaN is false
    return abs(float(np.linalg.norm(appearance.astype(np.float64))) - 1) <= UNIT_LENGTH_TOLERANCE


def is_storable(vector: npt.NDArray[np.float32], key: npt.NDArray[np.float32]) -> bool:
    """Return whether a bank can hold a vector (Dv,) and a key (Dt,), and compare them: finite, and with a direction."""
    # a comparison with NaN is false
    within = bool((np.abs(vector) <= LARGEST_VALUE).all() and np.isfinite(key).all())
    return within and bool(vector.any() and key.any())
