"""The backgrounds of the painted worlds and how each is painted."""

import numpy as np
import numpy.typing as npt

BACKGROUNDS: tuple[str, ...] = ("sky", "grass", "sand", "water")
WIDE_BACKGROUNDS: tuple[str, ...] = (*BACKGROUNDS, "snow", "road")

_COLOURS = {
    "sky": (150.0, 200.0, 245.0),
    "grass": (110.0, 190.0, 75.0),
    "sand": (228.0, 203.0, 145.0),
    "water": (30.0, 100.0, 150.0),
    "snow": (226.0, 232.0, 240.0),
    "road": (96.0, 95.0, 100.0),
}


def _texture(rng: np.random.Generator, noun: str, size: int) -> npt.NDArray[np.float32]:
    """Return (size, size, 3) float32 colours of one background, 0 to 255."""
    base = np.array(_COLOURS[noun], dtype=np.float32) * float(rng.uniform(0.9, 1.08))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    if noun == "sky":  # paler towards the bottom, with soft clouds
        light = 18.0 * y / size
        for _ in range(int(rng.integers(0, 3))):
            cx, cy = rng.uniform(0, size, size=2)
            light = light + 45.0 * np.exp(-(((x - cx) / 11) ** 2) - ((y - cy) / 4) ** 2)
    elif noun == "grass":  # upright blades
        columns = rng.normal(0.0, 14.0, size=(1, size)) * rng.uniform(0.6, 1.2)
        light = columns + rng.normal(0.0, 9.0, size=(size, size))
    elif noun == "sand":  # grains
        light = rng.normal(0.0, 8.0, size=(size, size))
    elif noun == "snow":  # soft drifts
        phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(14.0, 22.0)
        light = 7.0 * np.sin(2 * np.pi * (y + 4 * np.sin(x / 11 + phase)) / period) + rng.normal(0.0, 2.5, (size, size))
    elif noun == "road":  # asphalt with a broken white line
        row, start = rng.uniform(0.15, 0.85) * size, rng.uniform(0, 16)
        line = (np.abs(y - row) < 1.5) & ((x + start) % 16 < 9)
        light = rng.normal(0.0, 7.0, size=(size, size)) + 120.0 * line
    else:  # waves
        phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(6.0, 10.0)
        light = 20.0 * np.sin(2 * np.pi * y / period + 1.2 * np.sin(x / 7 + phase) + phase)
    return base + np.asarray(light, dtype=np.float32)[..., None]


def paint_background(
    rng: np.random.Generator, size: int, ground: str, horizon: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Paint a ground and, above the horizon, the sky.

    Args:
        rng: where shade and texture come from.
        size: side of the square image in pixels.
        ground: one of ``WIDE_BACKGROUNDS``.
        horizon: share of the height that is sky, 0 (none) to 1.

    Returns:
        (size, size, 3) uint8 colours and (size, size) uint8 indices into ``WIDE_BACKGROUNDS``.
    """
    colours = _texture(rng, ground, size)
    zones = np.full((size, size), WIDE_BACKGROUNDS.index(ground), dtype=np.uint8)
    rows = round(size * horizon)
    if rows:
        colours[:rows] = _texture(rng, "sky", size)[:rows]
        zones[:rows] = WIDE_BACKGROUNDS.index("sky")
    return np.clip(colours, 0, 255).astype(np.uint8), zones
