"""Prototypes that no pipeline made."""

from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.prototypes import Prototype

Vector = npt.NDArray[np.float32]


def make_prototype(noun: str, *, key: Vector, vector: Vector, pack: str, **given: Any) -> Prototype:  # noqa: ANN401
    """A prototype of a noun; what does not matter to the test has a plain value."""
    plain = {
        "caption_id": f"{0:016x}",
        "caption": f"a {noun}",
        "spans": ((2, 2 + len(noun)),),
        "seed": 1,
        "mask_area": 0.5,
        "contrast": 0.5,
        "image_text_score": 0.5,
    }
    return Prototype(noun=noun, key=key, vector=vector, pack=pack, **{**plain, **given})
