"""Torch's fused attention together with the softmax's denominators, which its kernels compute and do not return.

Computed again they cost more than the attention itself. The kernels that return them are torch's own, but no part of
its public interface: where one is missing, refuses, or returns something else, denominators are computed as usual.
"""

from collections.abc import Callable

import torch

_ROWS_COMPARED = 8
_MOST_APART = 0.01
"""How far a logarithm may be from the one computed in float32: a hundredth of an attribution."""


def attention_with_sums(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Compute attention by a kernel that returns its denominators.

    Args:
        query: (batch, heads, positions, d).
        key: (batch, heads, keys, d).
        value: (batch, heads, keys, d).
        mask: broadcasts to (batch, heads, positions, keys): True where a key counts, or added to the scores.
        scale: of the scores.

    Returns:
        The output, (batch, heads, positions, d), and the logarithms of the denominators, (batch, heads, positions)
        float32; None where no such kernel does this.
    """
    kernel = KERNELS.get(query.device.type)
    if kernel is None or key.shape[1] != query.shape[1] or query.shape[-1] != value.shape[-1]:
        return None
    try:
        output, sums = kernel(query, key, value, _added(mask, query, key), scale)
    except (RuntimeError, AttributeError, TypeError):  # what torch raises where a kernel is missing or refuses
        return None
    return (output, sums[:, :, : query.shape[2]]) if _plausible(query, key, mask, scale, sums) else None


def _added(mask: torch.Tensor | None, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor | None:
    """Return a mask as kernels take it: added to the scores, in their precision, of full shape without copies."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=query.dtype, device=mask.device).masked_fill_(~mask, float("-inf"))
    return mask.to(query.dtype).expand(*query.shape[:3], key.shape[2])


def _plausible(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, scale: float, sums: torch.Tensor
) -> bool:
    """Compare some denominators with those computed in float32."""
    if sums.ndim != query.ndim - 1 or sums.shape[2] < query.shape[2]:
        return False
    rows = slice(0, _ROWS_COMPARED)
    scores = query[-1, -1, rows].float() @ key[-1, -1].float().T * scale
    if mask is not None:
        added = _added(mask, query.float(), key)
        assert added is not None
        scores = scores + added[-1, -1, rows]
    apart = (scores.logsumexp(dim=-1) - sums[-1, -1, rows].float()).abs().max()
    return bool(apart < _MOST_APART)


_Kernel = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, float], tuple[torch.Tensor, torch.Tensor]
]


def _of_processor(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    output, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(  # noqa: SLF001
        query, key, value, attn_mask=mask, scale=scale
    )
    return output, sums


def _of_cuda(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    if mask is None and query.dtype != torch.float32:
        output, sums, *_ = torch.ops.aten._scaled_dot_product_flash_attention(  # noqa: SLF001
            query, key, value, scale=scale
        )
    else:
        output, sums, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(  # noqa: SLF001
            query, key, value, mask, compute_log_sumexp=True, scale=scale
        )
    return output, sums


KERNELS: dict[str, _Kernel] = {"cpu": _of_processor, "cuda": _of_cuda}
