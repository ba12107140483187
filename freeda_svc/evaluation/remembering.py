"""Encoders that remember what they said of an image, for experiments that show them the same windows again."""

from collections.abc import Callable
from typing import Any

import torch

from freeda_svc.packs import Pack

Encode = Callable[[torch.Tensor], torch.Tensor]


class _Memory:
    """What an encoder gives for each image of a batch, kept by the image's content."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._kept: dict[bytes, torch.Tensor] = {}

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Encode (B, 3, H, W) images; those seen before are not computed again."""
        names = [_content(image) for image in images]
        new = {name: index for index, name in enumerate(names) if name not in self._kept}
        if new:
            self._kept.update(zip(new, self._encode(images[list(new.values())]), strict=True))
        return torch.stack([self._kept[name] for name in names])


def _content(image: torch.Tensor) -> bytes:
    return repr(tuple(image.shape)).encode() + image.contiguous().numpy().tobytes()


class _Remembering:
    """An encoder with one of its methods replaced by a memory of it."""

    def __init__(self, encoder: object, method: str) -> None:
        self._encoder = encoder
        setattr(self, method, _Memory(getattr(encoder, method)))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the encoder has
        return getattr(self._encoder, name)


def remembering(pack: Pack) -> Pack:
    """Return a pack with the same models, whose image encoders compute every image once.

    Everything is kept in memory: a feature grid and an embedding for every window ever seen.
    """
    other = Pack(pack.description, pack.computing)
    vars(other).update(
        backbone=_Remembering(pack.backbone, "features"), image_text=_Remembering(pack.image_text, "embed_images")
    )
    return other
