"""Bilinear resizing taken apart: which source positions a target position reads, and with which weights.

The released code resizes region masks, dense similarities and score maps with the same interpolation. Knowing
its few weights allows pooling without masks, and score maps that are expanded only a few rows at a time.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Samples:
    """The two source positions that each position along one axis of the target reads.

    Attributes:
        lower: (target,) int64, the first source position.
        upper: (target,) int64, the second; equal to the first at the border.
        fraction: (target,) float32 in 0..1, the weight of the second.
    """

    lower: torch.Tensor
    upper: torch.Tensor
    fraction: torch.Tensor

    def part(self, start: int, stop: int) -> "Samples":
        """Return the samples of target positions ``start`` to ``stop``, exclusive."""
        return Samples(self.lower[start:stop], self.upper[start:stop], self.fraction[start:stop])

    def shifted(self, offset: int) -> "Samples":
        """Return the samples for a source that begins at position ``offset``."""
        return Samples(self.lower - offset, self.upper - offset, self.fraction)


def bilinear_samples(source: int, target: int, *, aligned: bool, device: torch.device | None = None) -> Samples:
    """Say which positions a bilinear resizing of one axis reads, without antialiasing.

    Args:
        source: length of the axis that is read.
        target: length of the axis that is made.
        aligned: whether the centres of the corner pixels coincide (True) or the outer edges (False).
        device: where the samples are kept.

    Returns:
        The samples, with positions computed in float32 as torch does, so that both agree at ties.
    """
    steps = torch.arange(target, dtype=torch.float32, device=device)
    if aligned:
        positions = steps * ((source - 1) / (target - 1) if target > 1 else 0.0)
    else:
        positions = ((steps + 0.5) * (source / target) - 0.5).clamp(min=0.0)
    lower = positions.floor().to(torch.int64).clamp(max=source - 1)
    upper = (lower + 1).clamp(max=source - 1)
    return Samples(lower, upper, (positions - lower).clamp(0.0, 1.0))


def resample(values: torch.Tensor, samples: Samples, dim: int) -> torch.Tensor:
    """Resize one axis of a floating-point tensor by the samples of that axis."""
    shape = [1] * values.ndim
    shape[dim] = -1
    lower, upper = values.index_select(dim, samples.lower), values.index_select(dim, samples.upper)
    return torch.lerp(lower, upper, samples.fraction.to(values.dtype).reshape(shape))
