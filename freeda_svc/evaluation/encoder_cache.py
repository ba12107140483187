"""A cache of what image encoders return, for experiments that encode the same windows again and again."""

from collections.abc import Callable
from typing import Any

import torch

from freeda_svc.packs import Pack

Encode = Callable[[torch.Tensor], torch.Tensor]


class _Cache:
    """What an encoder returns for each image of a batch, by the image's content."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._kept: dict[bytes, torch.Tensor] = {}

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Encode (B, 3, H, W) images; those of earlier calls are not computed again."""
        names = [_content(image) for image in images]
        new = {name: index for index, name in enumerate(names) if name not in self._kept}
        if new:
            self._kept.update(zip(new, self._encode(images[list(new.values())]), strict=True))
        return torch.stack([self._kept[name] for name in names])


def _content(image: torch.Tensor) -> bytes:
    return repr(tuple(image.shape)).encode() + image.contiguous().numpy().tobytes()


class _CachedEncoder:
    """An encoder one of whose methods is cached."""

    def __init__(self, encoder: object, method: str) -> None:
        self._encoder = encoder
        setattr(self, method, _Cache(getattr(encoder, method)))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the encoder has
        return getattr(self._encoder, name)


def with_encoder_cache(pack: Pack) -> Pack:
    """Return a pack with the same models, whose image encoders compute every image once.

    Everything is kept in memory: a feature grid and an embedding for every window ever seen.
    """
    other = Pack(pack.description, pack.computing)
    vars(other).update(
        backbone=_CachedEncoder(pack.backbone, "features"), image_text=_CachedEncoder(pack.image_text, "embed_images")
    )
    return other
