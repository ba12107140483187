"""On a GPU: batch size and attention kernels of the encoders, and the memory order of the generator's convolutions.

Models have the published sizes (DINOv2 ViT-B/14 at 518 x 518, CLIP ViT-B/16; the U-Net of Stable Diffusion 2.1) and
random weights. What is found best is set by `windows_at_once`, `precision` and `channels_last`; attention kernels are
chosen by torch itself, and are compared to see that it does. Times are medians of synchronised wall-clock time, and all
ways take turns. Without a GPU nothing is measured; ``python -m benchmarks.gpu --try`` runs every step once on the
processor, the generator small, and writes nothing.
"""

import statistics
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from time import perf_counter

import click
import torch

import freeda_svc.torchvision_operators  # noqa: F401  (before diffusers)

# isort: split
from diffusers import UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.results import Result
from benchmarks.segmentation_load.models import random_pack
from freeda_svc.errors import UnavailableError
from freeda_svc.packs import Pack, Precision

ROUNDS = 9
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
WINDOWS = (1, 2, 4, 8, 16, 32, 64)
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "plain": SDPBackend.MATH,
}
_PUBLISHED_CHANNELS, _SMALL_CHANNELS = (320, 640, 1280, 1280), (32, 32, 64, 64)
_LATENTS, _SMALL_LATENTS, _TOKENS, _TEXT_WIDTH, _HEAD_SIZE = 64, 16, 77, 1024, 64


def _median(device: str, work: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Seconds of each, in turns, after one that is not counted."""
    seconds: list[list[float]] = [[] for _ in work]
    for number in range(rounds + 1):
        for taken, call in zip(seconds, work, strict=True):
            started = perf_counter()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            if number:
                taken.append(perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def _encode(pack: Pack, images: torch.Tensor) -> None:
    pack.backbone.features(images)
    pack.image_text.embed_images(images)


def _encoders(device: str, windows: Sequence[int], rounds: int) -> list[Result]:
    results = []
    for precision in PRECISIONS:
        pack = random_pack(precision, device=device)
        given = [torch.rand(count, 3, 448, 448) for count in windows]
        medians = _median(device, [partial(_encode, pack, images) for images in given], rounds)
        results += [
            Result(f"encoders_{precision}_windows_{count}", count / seconds, "windows/s")
            for count, seconds in zip(windows, medians, strict=True)
        ]
        middle = given[len(given) // 2]
        ways = ["torch's choice", *KERNELS] if device == "cuda" else ["torch's choice", "plain"]

        def by(way: str, images: torch.Tensor = middle, pack: Pack = pack) -> None:
            with sdpa_kernel(KERNELS[way]) if way in KERNELS else nullcontext():
                _encode(pack, images)

        usable = [way for way in ways if _works(partial(by, way))]
        medians = _median(device, [partial(by, way) for way in usable], rounds)
        results += [
            Result(f"encoders_{precision}_attention_{way}_ms", 1000 * seconds, "ms", usable[0], seconds / medians[0])
            for way, seconds in zip(usable, medians, strict=True)
        ]
    return results


def _works(call: Callable[[], object]) -> bool:
    """Whether a kernel takes these models: flash attention does not take float32."""
    try:
        call()
    except RuntimeError:
        return False
    return True


def _generator(device: str, *, small: bool, rounds: int) -> list[Result]:
    side = _SMALL_LATENTS if small else _LATENTS
    results = []
    for precision in PRECISIONS:
        dtype = getattr(torch, precision)
        unets = []
        for memory in (torch.contiguous_format, torch.channels_last):
            torch.manual_seed(0)
            channels = _SMALL_CHANNELS if small else _PUBLISHED_CHANNELS
            unet = UNet2DConditionModel(
                sample_size=side,
                block_out_channels=channels,
                attention_head_dim=tuple(max(1, width // _HEAD_SIZE) for width in channels),
                cross_attention_dim=_TEXT_WIDTH,
                use_linear_projection=True,
            )
            unets.append(unet.to(device=device, dtype=dtype, memory_format=memory).eval())
        latents = torch.rand(2, 4, side, side, device=device, dtype=dtype)
        texts = torch.rand(2, _TOKENS, _TEXT_WIDTH, device=device, dtype=dtype)
        with torch.no_grad():
            usual, last = _median(
                device, [partial(unet, latents, 1, encoder_hidden_states=texts) for unet in unets], rounds
            )
        against = "channels first"
        results += [
            Result(f"generator_step_{precision}_channels_first_ms", 1000 * usual, "ms"),
            Result(f"generator_step_{precision}_channels_last_ms", 1000 * last, "ms", against, last / usual),
        ]
    return results


def run() -> list[Result]:
    """Measure everything on the first GPU.

    Raises:
        UnavailableError: there is none.
    """
    if not torch.cuda.is_available():
        raise UnavailableError("benchmarks gpu needs a GPU and a CUDA build of torch; there is none here")
    return [*_encoders("cuda", WINDOWS, ROUNDS), *_generator("cuda", small=False, rounds=ROUNDS)]


@click.command()
@click.option("--try", "tried", is_flag=True, required=True, help="Run every step once on the processor.")
def _try(*, tried: bool) -> None:  # noqa: ARG001 - it only says what is meant
    """Run every step once, small, and print the results without writing them."""
    for result in [*_encoders("cpu", (1, 2), 1), *_generator("cpu", small=True, rounds=1)]:
        click.echo(f"  {result.name:50s} {result.value:12.3f} {result.unit}")


if __name__ == "__main__":
    _try()
