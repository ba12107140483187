from typing import Any

import pytest
import torch
from torch.nn import functional

from freeda_svc.diffusion import fused


def tensors(keys: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    noise = torch.Generator().manual_seed(3)
    shapes = ((2, 3, 70, 16), (2, 3, keys, 16), (2, 3, keys, 16))
    return tuple((3 * torch.randn(shape, generator=noise)).to(dtype) for shape in shapes)


def masks(keys: int) -> dict[str, torch.Tensor | None]:
    kept = torch.ones(2, 1, 1, keys, dtype=torch.bool)
    kept[0, ..., -5:] = False
    return {
        "none": None,
        "of booleans": kept,
        "added": (~kept).float().expand(2, 3, 1, keys) * -10_000,
        "of every score": torch.randn(2, 3, 70, keys, generator=torch.Generator().manual_seed(4)),
    }


@pytest.mark.parametrize("name", list(masks(4)))
@pytest.mark.parametrize("keys", [9, 70, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_denominators_are_those_of_the_softmax(name: str, keys: int, dtype: torch.dtype) -> None:
    query, key, value = tensors(keys, dtype)
    mask = masks(keys)[name]
    mask = mask.to(dtype) if mask is not None and mask.is_floating_point() else mask
    found = fused.attention_with_sums(query, key, value, mask, 0.3)
    assert found is not None
    output, sums = found
    expected = functional.scaled_dot_product_attention(query, key, value, mask, scale=0.3)
    torch.testing.assert_close(output, expected)
    scores = query.float() @ key.float().transpose(-1, -2) * 0.3
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask.float()
    torch.testing.assert_close(sums, scores.logsumexp(dim=-1), atol=5e-3, rtol=1e-3)


def test_a_kernel_that_gives_something_else_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = tensors(9)

    of_processor = fused.KERNELS["cpu"]

    def in_base_2(*given: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        output, sums = of_processor(*given)
        return output, sums / torch.log(torch.tensor(2.0))

    def refusing(*given: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        raise RuntimeError("no such kernel")

    for kernel in (in_base_2, refusing):
        monkeypatch.setattr(fused, "KERNELS", {"cpu": kernel})
        assert fused.attention_with_sums(query, key, value, None, 0.25) is None
    monkeypatch.undo()
    assert fused.attention_with_sums(query, key, value, None, 0.25) is not None


def test_key_heads_that_are_fewer_are_left_to_torch() -> None:
    query, key, value = tensors(9)
    assert fused.attention_with_sums(query, key[:, :1], value[:, :1], None, 0.25) is None
