"""Disturbances that make painted scenes resemble generated ones: blur, noise, brightness."""

import torch
from torch.nn import functional


def disturb(pixels: torch.Tensor) -> torch.Tensor:
    """Return images (B, 3, H, W), -1 to 1, each blurred, brightened and made noisy by its own random amount."""
    count = len(pixels)
    amounts = torch.rand(3, count, 1, 1, 1)
    blurred = functional.avg_pool2d(functional.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    mixed = torch.lerp(pixels, blurred, amounts[0] * (torch.rand(count, 1, 1, 1) < 0.6))
    shifted = mixed * (1 + 0.2 * (amounts[1] - 0.5)) + 0.15 * (torch.rand(count, 3, 1, 1) - 0.5)
    return (shifted + 0.06 * amounts[2] * torch.randn_like(pixels)).clamp(-1, 1)
