"""How different colours look, by CIEDE2000, to most people and to those who confuse red and green.

What protanopes and deuteranopes see is Machado, Oliveira and Fernandes 2009,
equation 21 with severity 1.0.
"""

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.cielab import ciede2000, lab_of_light

LEAST_DIFFERENCE, LEAST_DIFFERENCE_RED_GREEN = 12.0, 8.0
"""CIEDE2000 between colours that are distinct at a glance: to most people, and to those who confuse red and green."""

TINT = 0.55
"""How much of a colour is in the picture that it is laid over, 0 to 1."""

_PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
_DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
_VISIONS = np.array((np.eye(3), _PROTANOPIA, _DEUTERANOPIA))

GREY = 128.0
"""Assumed for a picture that is not known yet, 0 to 255."""

_LEAST_OF_VISIONS = np.array((LEAST_DIFFERENCE, LEAST_DIFFERENCE_RED_GREEN, LEAST_DIFFERENCE_RED_GREEN))
_LEAST = np.concatenate((_LEAST_OF_VISIONS, _LEAST_OF_VISIONS * TINT))

Perceived = npt.NDArray[np.float64]


def perceived(colours: npt.NDArray[np.generic]) -> Perceived:
    """Return colours as they look to most people, to protanopes and to deuteranopes.

    Args:
        colours: (n, 3) RGB, 0 to 255.

    Returns:
        (3, n, 3) float64, CIELAB.
    """
    encoded = np.asarray(colours, dtype=np.float64).reshape(-1, 3) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - sRGB
    light = np.clip(np.einsum("sij,nj->sni", _VISIONS, linear), 0, 1)
    return lab_of_light(light)


def perceived_tints(colours: npt.NDArray[np.generic]) -> Perceived:
    """Return colours as they look by themselves and as they look when they are laid over a grey picture.

    Args:
        colours: (n, 3) RGB, 0 to 255.

    Returns:
        (6, n, 3) float64, CIELAB: three as ``perceived`` returns them, and three of the mixture.
    """
    return np.concatenate((perceived(colours), perceived(on_grey(colours))))


def on_grey(colours: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return (n, 3) colours, 0 to 255, as they look when they are laid over a grey picture."""
    return np.asarray(colours, dtype=np.float64).reshape(-1, 3) * TINT + GREY * (1 - TINT)


def distinctness(some: Perceived, others: Perceived) -> npt.NDArray[np.float64]:
    """Return how distinct colours are: 1 where they differ just by the least difference.

    Args:
        some: (3, n, 3), as ``perceived`` returns them, or (6, n, 3), as ``perceived_tints`` does.
        others: (3, m, 3) or (6, m, 3).

    Returns:
        (n, m) float64: CIEDE2000 divided by the least difference, the smallest of all kinds of vision; for mixtures
            the least difference is reduced by the share of the colour in them.
    """
    apart = [
        ciede2000(one[:, None], other[None]) / least
        for one, other, least in zip(some, others, _LEAST[: len(some)], strict=True)
    ]
    return np.asarray(np.min(apart, axis=0))
