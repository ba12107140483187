"""The generator's autoencoder: 64 x 64 pixels to 16 x 16 latents and back."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from freeda_svc.miniature.training.arithmetic import quick_arithmetic
from freeda_svc.miniature.training.loop import Schedule, Training
from freeda_svc.miniature.training.plans import SMALL_PLAN, AutoencoderPlan, TrainingPlan
from freeda_svc.miniature.training.pool import TRAINING_SPLIT, flip_some, join_pools, paint_pool

BATCH = 16


def build(plan: AutoencoderPlan = SMALL_PLAN.autoencoder) -> AutoencoderTiny:
    """Return an untrained autoencoder that reduces each side by four."""
    torch.manual_seed(3)
    channels = (plan.channels,) * 3
    return AutoencoderTiny(
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        num_encoder_blocks=(1, 1, 2),
        num_decoder_blocks=(2, 2, 1),
        latent_channels=4,
        force_upcast=False,
    )


def _gradients(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :]


def train(folder: Path, plan: TrainingPlan = SMALL_PLAN) -> AutoencoderTiny:
    """Train on crowded and plain scenes: reconstruct colours and edges, keep latents near unit size."""
    steps, world = plan.autoencoder.steps, plan.world
    crowded, easy, hard = plan.autoencoder.scenes
    model = build(plan.autoencoder).to(memory_format=torch.channels_last)
    training = Training("autoencoder", model, Schedule(steps, 2e-3, average_decay=0.998), folder)
    if training.step < steps:
        pool = join_pools(
            paint_pool(world.crowded, crowded, split=TRAINING_SPLIT, stream=1, world=world),
            paint_pool(world.easy, easy, split=TRAINING_SPLIT, stream=2, world=world),
            paint_pool(world.hard, hard, split=TRAINING_SPLIT, stream=3, world=world),
        )

    def step(rng: np.random.Generator) -> torch.Tensor:
        pixels = flip_some(rng, pool.pixels(rng.integers(len(pool), size=BATCH)))
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with quick_arithmetic():
            latents = model.encode(pixels).latents.float()
            # the generator's samples are never exact, so the decoder learns to bear small errors
            rebuilt = model.decode(latents + 0.05 * torch.randn_like(latents)).sample.float()
        colours = functional.l1_loss(rebuilt, pixels) + functional.mse_loss(rebuilt, pixels)
        edges = sum(functional.l1_loss(a, b) for a, b in zip(_gradients(rebuilt), _gradients(pixels), strict=True))
        size = (latents.std(dim=(0, 2, 3)) - 1).square().mean() + latents.mean(dim=(0, 2, 3)).square().mean()
        loss: torch.Tensor = colours + 0.5 * edges + 0.05 * size
        return loss

    training.run(step)
    return model


@torch.no_grad()
def latent_deviation(model: AutoencoderTiny, plan: TrainingPlan = SMALL_PLAN) -> float:
    """Return the standard deviation of the latents of easy scenes, whose inverse scales them for diffusion."""
    pool = paint_pool(plan.world.easy, 256, split=TRAINING_SPLIT, stream=4, world=plan.world)
    return float(model.encode(pool.pixels(np.arange(len(pool)))).latents.std())
