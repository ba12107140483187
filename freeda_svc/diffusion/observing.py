"""Observing a transformer's attention where it is computed, whatever a family's processor does before and after.

Each processor computes queries, keys, norms and rotary embedding its own way, and gives them to torch's fused
attention. Torch lets a function be overridden for a while: exactly those tensors are seen, and a layer stays as it is.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from freeda_svc.diffusion.fused import attention_with_sums
from freeda_svc.errors import InputError

_ARGUMENTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")  # of torch's function, in order


@dataclass(frozen=True, eq=False)
class Attended:
    """What a layer's attention was computed from, and what it gave.

    Attributes:
        number: of the layer among those that are observed, from 0.
        query: (batch, heads, positions, d), after norms and rotary embedding.
        key: (batch, key heads, keys, d); each key head is that of as many consecutive query heads.
        value: (batch, key heads, keys, d).
        output: (batch, heads, positions, d), before it is projected.
        mask: broadcasts to (batch, heads, positions, keys): True where a key counts, or added to the scores; None
            where all keys count.
        scale: of the scores before the softmax.
        sums: (batch, heads, positions) float32, logarithms of the softmax's denominators; None where they are not
            known.
    """

    number: int
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    output: torch.Tensor
    mask: torch.Tensor | None
    scale: float
    sums: torch.Tensor | None = None


class Observer(Protocol):
    """Is shown what layers attend to."""

    def attended(self, layer: Attended) -> None:
        """Take one layer's attention at one step."""


class _FusedAttention(TorchFunctionMode):
    """While it is entered, shows an observer each call of torch's fused attention."""

    def __init__(self, observer: Observer, number: int) -> None:
        super().__init__()
        self._observer = observer
        self._number = number
        self.calls = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        self.calls += 1
        given = dict(zip(_ARGUMENTS, args, strict=False)) | (kwargs or {})
        if given.get("is_causal"):
            raise InputError("the generator's attention is causal, so its nouns cannot be located")
        query, key, value, mask = given["query"], given["key"], given["value"], given.get("attn_mask")
        scale = given.get("scale") or query.shape[-1] ** -0.5
        output, sums = attention_with_sums(query, key, value, mask, scale) or (func(*args, **(kwargs or {})), None)
        self._observer.attended(Attended(self._number, query, key, value, output, mask, scale, sums))
        return output


class _Pass:
    """Counts the calls of a transformer, and says which of them count."""

    def __init__(self, passes: int, steps: Collection[int]) -> None:
        self._passes = passes
        self._steps = steps
        self._calls = 0
        self.has_ended = False

    def called(self, *_: object) -> None:
        self._calls += 1

    @property
    def counts(self) -> bool:
        if self.has_ended:
            return False
        step, number = divmod(self._calls - 1, self._passes)
        return number == 0 and (not self._steps or step in self._steps)


@contextmanager
def observing(
    transformer: torch.nn.Module,
    attentions: Sequence[torch.nn.Module],
    observer: Observer,
    passes: int,
    steps: Collection[int],
) -> Iterator[None]:
    """Show an observer the attention of some layers while a transformer generates; afterwards it is as it was.

    Args:
        transformer: called once or several times per step.
        attentions: those of its layers that count.
        observer: is shown them.
        passes: how many times the transformer is called in each step; the first of these calls is conditional.
        steps: numbers, from 0, of the steps that count; empty for all.

    Raises:
        InputError: a layer does not compute its attention by torch's fused attention, once.
    """
    current = _Pass(passes, steps)
    entered: list[_FusedAttention] = []

    def before(number: int, *_: object) -> None:
        if current.counts:
            entered.append(_FusedAttention(observer, number))
            entered[-1].__enter__()  # type: ignore[no-untyped-call]

    def after(layer: torch.nn.Module, *_: object) -> None:
        if not entered:
            return
        mode = entered.pop()
        mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        if mode.calls != 1:
            raise InputError(
                f"the generator's {type(layer).__name__} calls torch's fused attention {mode.calls} times instead of "
                "once, so its nouns cannot be located; use diffusers' attention backend 'native'"
            )

    hooks: list[RemovableHandle] = []
    try:  # a time limit may end this anywhere
        hooks.append(transformer.register_forward_pre_hook(current.called))
        for number, layer in enumerate(attentions):
            hooks.append(layer.register_forward_pre_hook(partial(before, number)))
            hooks.append(layer.register_forward_hook(after, always_call=True))
        yield
    finally:
        current.has_ended = True
        for hook in hooks:
            hook.remove()
