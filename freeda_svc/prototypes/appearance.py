"""The appearance of an image region: what the image-text model sees under its mask."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from freeda_svc.encoders import ImageTextModel
from freeda_svc.prototypes.object_windows import ObjectWindow, make_photo, window_around

_VIEWS_AT_ONCE = 32
_BRIGHTEST = 255

Region = tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]


def embed_regions(model: ImageTextModel, regions: Sequence[Region]) -> npt.NDArray[np.float32]:
    """Embed regions of images as the image-text model sees them.

    A region M of an image I is shown twice in the square window W around it, as it is and with everything outside of
    it in the model's mean colour m; with f the model's image encoding and n(x) = x / |x| its appearance is

        a(I, M) = n( n(f(I_W)) + n(f(M_W I_W + (1 - M_W) m)) ).

    Alone, the first is drawn to what surrounds the region, and the second to the meaning of so much grey, which the
    model never saw in training; their mean was nearer to the region's own noun than either (decision 29). Both go
    through the model's ordinary encoding of images, so any model can be used, with dense features or without.

    Args:
        model: of the pack.
        regions: image (H, W, 3) uint8, RGB, and mask (H, W) bool with at least one true pixel, of each.

    Returns:
        (N, Dt) float32, unit length; rows that the model gave no finite embedding are not finite.
    """
    views: list[torch.Tensor] = []
    surroundings: dict[tuple[int, ObjectWindow], int] = {}  # large regions of one image share their window
    places: list[tuple[int, int]] = []
    mean = np.round(_BRIGHTEST * np.asarray(model.mean_colour)).astype(np.uint8)
    for pixels, mask in regions:
        window = window_around(mask)
        shown = window.cut(pixels)
        around = surroundings.setdefault((id(pixels), window), len(views))
        if around == len(views):
            views.append(make_photo(shown, model.size))
        places.append((around, len(views)))
        views.append(make_photo(np.where(window.cut(mask)[..., np.newaxis], shown, mean), model.size))
    if not places:
        return np.empty((0, model.dimension), dtype=np.float32)
    embedded = torch.cat(
        [
            functional.normalize(model.embed_images(torch.stack(views[start : start + _VIEWS_AT_ONCE])), dim=-1)
            for start in range(0, len(views), _VIEWS_AT_ONCE)
        ]
    )
    around_rows, alone_rows = torch.tensor(places).T
    seen: npt.NDArray[np.float32] = functional.normalize(embedded[around_rows] + embedded[alone_rows], dim=-1).numpy()
    return seen
