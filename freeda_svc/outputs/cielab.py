"""CIELAB and CIEDE2000, without the library that has them: importing it takes longer than drawing a picture.

CIELAB is CIE 15:2004 under D65, from linear sRGB (IEC 61966-2-1); CIEDE2000 is Sharma, Wu and Dalal 2005.
"""

import numpy as np
import numpy.typing as npt

_XYZ = np.array(((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227)))
_WHITE = np.array((0.95047, 1.0, 1.08883))
_LINEAR_BELOW = 0.008856
_C7 = 25.0**7

Values = npt.NDArray[np.float64]


def lab_of_light(light: Values) -> Values:
    """Return colours in CIELAB.

    Args:
        light: (..., 3) float64, linear sRGB, 0 to 1.

    Returns:
        (..., 3) float64: lightness 0 to 100, and both axes of colour.
    """
    shares = light @ _XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(shares > _LINEAR_BELOW, np.cbrt(shares), 7.787 * shares + 16 / 116), -1, 0)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def ciede2000(some: Values, others: Values) -> Values:
    """Return how different colours look, about 1 where it can just be seen.

    Args:
        some: (..., 3) float64, CIELAB.
        others: the same, of a shape that fits by broadcasting.
    """
    (light, a, b), (other_light, other_a, other_b) = np.moveaxis(some, -1, 0), np.moveaxis(others, -1, 0)
    stretched = 1.5 - 0.5 * _saturation((np.hypot(a, b) + np.hypot(other_a, other_b)) / 2)
    a, other_a = a * stretched, other_a * stretched
    chroma, other_chroma = np.hypot(a, b), np.hypot(other_a, other_b)
    hue, other_hue = np.arctan2(b, a) % (2 * np.pi), np.arctan2(other_b, other_a) % (2 * np.pi)
    grey = chroma * other_chroma == 0  # which have no hue
    apart = other_hue - hue
    far = np.abs(apart) > np.pi
    turned = np.where(grey, 0, np.where(far, apart - np.sign(apart) * 2 * np.pi, apart))
    middle = np.where(
        far, (hue + other_hue) / 2 + np.where(hue + other_hue < 2 * np.pi, np.pi, -np.pi), (hue + other_hue) / 2
    )
    middle = np.where(grey, hue + other_hue, middle)
    mean_light, mean_chroma = (light + other_light) / 2, (chroma + other_chroma) / 2
    uneven = (
        1
        - 0.17 * np.cos(middle - np.deg2rad(30))
        + 0.24 * np.cos(2 * middle)
        + 0.32 * np.cos(3 * middle + np.deg2rad(6))
        - 0.20 * np.cos(4 * middle - np.deg2rad(63))
    )
    from_50 = (mean_light - 50) ** 2
    by_light = (other_light - light) / (1 + 0.015 * from_50 / np.sqrt(20 + from_50))
    by_chroma = (other_chroma - chroma) / (1 + 0.045 * mean_chroma)
    by_hue = 2 * np.sqrt(chroma * other_chroma) * np.sin(turned / 2) / (1 + 0.015 * mean_chroma * uneven)
    blue = np.deg2rad(60) * np.exp(-(((np.rad2deg(middle) - 275) / 25) ** 2))
    rotation = -2 * _saturation(mean_chroma) * np.sin(blue) * by_chroma * by_hue
    return np.asarray(np.sqrt(np.maximum(by_light**2 + by_chroma**2 + by_hue**2 + rotation, 0)))


def _saturation(chroma: Values) -> Values:
    power = chroma**7
    return np.asarray(np.sqrt(power / (power + _C7)))
