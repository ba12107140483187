"""The miniature text-to-image model: a latent U-Net and its text encoder, trained together."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from freeda_svc.miniature.training.arithmetic import attend_plainly, quick_arithmetic
from freeda_svc.miniature.training.loop import Schedule, Training
from freeda_svc.miniature.training.plans import SMALL_PLAN, GeneratorPlan, TrainingPlan
from freeda_svc.miniature.training.pool import TRAINING_SPLIT, ScenePool, paint_pool

BATCH = 16
CAPTION_DROPOUT = 0.1


class TextToLatent(nn.Module):
    """The two parts that train together, so that one optimiser and one checkpoint hold both."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.unet = unet


def build(tokenizer: CLIPTokenizer, plan: GeneratorPlan = SMALL_PLAN.generator) -> TextToLatent:
    """Return the untrained U-Net (cross-attention at 16 x 16 and 8 x 8) and its text encoder."""
    torch.manual_seed(0)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=plan.text_width,
            intermediate_size=4 * plan.text_width,
            projection_dim=plan.text_width,
            num_hidden_layers=plan.text_layers,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=plan.channels,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=plan.text_width,
        attention_head_dim=plan.heads,  # number of heads, under the name diffusers gives it
        norm_num_groups=16,
    )
    return TextToLatent(text_encoder, unet)


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule: v-prediction with zero terminal signal-to-noise ratio."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,  # has no effect on trailing steps; the pipeline asks for it
    )


@dataclass(frozen=True, eq=False)
class _LatentPool:
    """Latents of every scene and its mirror image, (2N, 4, 16, 16) float32, and token ids, (2N, L) int64."""

    latents: torch.Tensor
    token_ids: torch.Tensor
    empty_ids: torch.Tensor


@torch.no_grad()
def _encode_pool(pool: ScenePool, autoencoder: AutoencoderTiny, tokenizer: CLIPTokenizer) -> _LatentPool:
    chunks: list[torch.Tensor] = []
    for mirrored in (False, True):
        for start in range(0, len(pool), 250):
            pixels = pool.pixels(np.arange(start, min(start + 250, len(pool))))
            chunks.append(autoencoder.encode(pixels.flip(-1) if mirrored else pixels).latents)
    token_ids = tokenize(tokenizer, [*pool.captions, ""])
    return _LatentPool(
        latents=torch.cat(chunks) * autoencoder.config.scaling_factor,
        token_ids=torch.cat([token_ids[:-1], token_ids[:-1]]),
        empty_ids=token_ids[-1],
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Return (N, L) int64 token ids, padded and cut to the tokenizer's length as the pipeline does it."""
    batch = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids


def train(
    folder: Path, autoencoder: AutoencoderTiny, tokenizer: CLIPTokenizer, plan: TrainingPlan = SMALL_PLAN
) -> TextToLatent:
    """Train on easy scenes and their captions; one caption in ten is left out, for guidance.

    Args:
        folder: of the checkpoint.
        autoencoder: trained, with its ``scaling_factor`` set to one over the latents' standard deviation.
        tokenizer: the shared word tokenizer.
        plan: the world, the model's size, and how many batches of 16.
    """
    steps, world = plan.generator.steps, plan.world
    model = build(tokenizer, plan.generator)
    schedule = Schedule(steps, 1e-3, warmup=300, average_decay=0.999)
    attend_plainly(model.text_encoder, model.unet)
    training = Training("generator", model, schedule, folder)
    scheduler = build_scheduler()
    if training.step < steps:
        scenes = paint_pool(world.easy, plan.generator.scenes, split=TRAINING_SPLIT, stream=6, world=world)
        pool = _encode_pool(scenes, autoencoder, tokenizer)

    def step(rng: np.random.Generator) -> torch.Tensor:
        chosen = torch.from_numpy(rng.integers(len(pool.latents), size=BATCH))
        dropped = torch.from_numpy(rng.random(BATCH) < CAPTION_DROPOUT)
        ids = torch.where(dropped[:, None], pool.empty_ids, pool.token_ids[chosen])
        latents = pool.latents[chosen]
        noise = torch.randn_like(latents)
        times = torch.from_numpy(rng.integers(scheduler.config.num_train_timesteps, size=BATCH))
        noisy = scheduler.add_noise(latents, noise, times)
        with quick_arithmetic():
            states = model.text_encoder(ids).last_hidden_state
            predicted = model.unet(noisy, times, encoder_hidden_states=states).sample
        return functional.mse_loss(predicted.float(), scheduler.get_velocity(latents, noise, times))

    training.run(step)
    return model


def save(folder: Path, model: TextToLatent, autoencoder: AutoencoderTiny, tokenizer: CLIPTokenizer) -> None:
    """Write a ``StableDiffusionPipeline`` directory in half precision, safetensors only."""
    pipeline = StableDiffusionPipeline(
        vae=copy.deepcopy(autoencoder),
        text_encoder=copy.deepcopy(model.text_encoder),
        tokenizer=tokenizer,
        unet=copy.deepcopy(model.unet),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
