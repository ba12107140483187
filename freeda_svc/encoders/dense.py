"""The dense backbone: one feature vector for each patch of an image (v(I) of eq. 2)."""

from collections.abc import Sequence
from typing import TypeAlias, cast

import torch
from transformers import Dinov2Model, Dinov2WithRegistersModel, DINOv3ViTModel

from freeda_svc.encoders.images import Compiler, Forward, channel_constants, check_images, check_size, squash
from freeda_svc.errors import InputError

DenseModel: TypeAlias = Dinov2Model | Dinov2WithRegistersModel | DINOv3ViTModel
"""What can be a backbone: its tokens are the class, then registers where it has any, then the patches row by row."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_PATCHES_TRIED = 2


class _Tokens(torch.nn.Module):
    """The forward pass of a backbone: images (B, 3, H, W) to the last layer's tokens (B, N, Dv)."""

    def __init__(self, model: DenseModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self.model(pixel_values=pixels).last_hidden_state)


class DenseBackbone:
    """A DINOv2 or DINOv3 model that returns the last layer's normalised patch features.

    Attributes:
        size: side, in pixels, to which every image is squashed.
        dimension: length of a feature vector, Dv.
        grid: patches along a side, h and w.
    """

    def __init__(
        self,
        model: DenseModel,
        size: int,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        compiler: Compiler | None = None,
    ) -> None:
        """Take a model.

        Args:
            model: where and in which precision it computes.
            size: side, in pixels, to which every image is squashed.
            mean: of the colour channels, 0 to 1, as the model was trained.
            std: their standard deviation.
            compiler: makes another forward pass of a model on the processor in float32; torch's own when None.

        Raises:
            InputError: the patches are not square, or the size is no multiple of them.
        """
        patch = _patch_side(model)
        check_size("backbone_size", size, patch, "backbone")
        parameter = next(model.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._mean = channel_constants(mean).to(self._device)
        self._std = channel_constants(std).to(self._device)
        tokens = _Tokens(model.eval())
        self._forward: Forward = tokens if compiler is None else compiler(tokens, size)
        self._tried_side = size if compiler is not None else _PATCHES_TRIED * patch  # compiled for one size
        self._leading_tokens = 1 + int(getattr(model.config, "num_register_tokens", 0))
        self.size = size
        self.dimension = int(model.config.hidden_size)
        self.grid = size // patch

    @torch.no_grad()
    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Compute dense features.

        Args:
            images: (B, 3, H, W) float32, 0 to 1, RGB, of any size; squashed to ``size`` on both sides (bilinear, no
                antialiasing).

        Returns:
            (B, Dv, h, w) float32 in main memory, wherever the model computes.

        Raises:
            InputError: the images have another shape or are not floating point.
        """
        check_images(images)
        images = images.to(device=self._device, dtype=torch.float32)
        pixels = (squash(images, self.size, "bilinear") - self._mean) / self._std
        patches = self._forward(pixels.to(self._dtype))[:, self._leading_tokens :]
        features = patches.transpose(1, 2).reshape(len(images), self.dimension, self.grid, self.grid)
        return features.to(device="cpu", dtype=torch.float32)

    @torch.no_grad()
    def try_out(self) -> torch.Tensor:
        """Compute the features of the smallest image that shows whether the model works, (1, N, Dv) float32."""
        pixels = torch.zeros(1, 3, self._tried_side, self._tried_side, device=self._device, dtype=self._dtype)
        return self._forward(pixels).to(device="cpu", dtype=torch.float32)


def _patch_side(model: DenseModel) -> int:
    """Return the side of a model's patches, pixels."""
    configured = model.config.patch_size
    sides = {int(side) for side in configured} if isinstance(configured, list | tuple) else {int(configured)}
    if len(sides) != 1:
        raise InputError(
            f"the backbone has patches of {' x '.join(map(str, configured))} pixels, but needs square ones"
        )
    return sides.pop()
