"""The colours in which Pascal VOC stores its masks."""

import numpy as np
import numpy.typing as npt

_BITS = 8
_CHANNELS = 3


def voc_colours(count: int) -> npt.NDArray[np.uint8]:
    """Return the first colours of VOC's colour map.

    The bits of a label are dealt to red, green and blue in turn, its lowest three to their highest bits, the next
    three to the bits below, and so on: labels near each other get colours far apart.

    Args:
        count: how many, at most 256.

    Returns:
        (count, 3) uint8, RGB.
    """
    labels = np.arange(count)
    colours = np.zeros((count, _CHANNELS), dtype=np.uint8)
    for place in range(_BITS):
        channel, depth = place % _CHANNELS, place // _CHANNELS
        colours[:, channel] |= (((labels >> place) & 1) << (_BITS - 1 - depth)).astype(np.uint8)
    return colours
