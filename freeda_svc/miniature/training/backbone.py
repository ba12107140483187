"""The miniature dense backbone: a DINOv2 model whose patches separate the world's nouns, some of them unseen.

The real backbone learns without labels from 142 million images. At this size that fails, so this one is trained
to name each patch, but some nouns are left out (three of the small world): their patches take no part in the naming
loss.
Extending the vocabulary by one of them is therefore an honest test.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model

from freeda_svc.miniature.training.arithmetic import attend_plainly, quick_arithmetic
from freeda_svc.miniature.training.loop import Schedule, Training
from freeda_svc.miniature.training.plans import SMALL_PLAN, BackbonePlan, TrainingPlan
from freeda_svc.miniature.training.pool import TRAINING_SPLIT, disturb, join_pools, paint_pool

BATCH = 24
PATCH = 4
UNSEEN_NOUNS = SMALL_PLAN.backbone.unseen


class PatchNaming(nn.Module):
    """The backbone with two heads that are thrown away: one names patches, one redraws their pixels."""

    def __init__(self, backbone: Dinov2Model, nouns: int) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        self.backbone = backbone
        self.names = nn.Linear(width, nouns, bias=False)
        self.redraw = nn.Linear(width, 3 * PATCH * PATCH)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (B, P, nouns) logits, scaled cosines, and (B, P, 48) redrawn pixels."""
        with quick_arithmetic():
            features = self.backbone(pixels).last_hidden_state[:, 1:].float()
        cosines = functional.normalize(features, dim=-1) @ functional.normalize(self.names.weight, dim=-1).T
        return 12.0 * cosines, self.redraw(features)


def build(plan: BackbonePlan = SMALL_PLAN.backbone) -> Dinov2Model:
    """Return the untrained backbone: 16 x 16 patches of 4 pixels."""
    torch.manual_seed(2)
    return Dinov2Model(
        Dinov2Config(
            image_size=64,
            patch_size=PATCH,
            hidden_size=plan.width,
            num_hidden_layers=plan.layers,
            num_attention_heads=plan.heads,
            mlp_ratio=3,
        )
    )


def _patch_shares(labels: np.ndarray, nouns: int) -> torch.Tensor:
    """Return (B, P, nouns) float32, the share of each noun among the pixels of each patch."""
    one_hot = functional.one_hot(torch.from_numpy(labels).long(), nouns).permute(0, 3, 1, 2).float()
    return functional.avg_pool2d(one_hot, PATCH).flatten(2).transpose(1, 2)


def train(folder: Path, plan: TrainingPlan = SMALL_PLAN) -> Dinov2Model:
    """Train on scenes of all styles; patches that show an unseen noun count for redrawing only."""
    steps, world = plan.backbone.steps, plan.world
    hard, easy, crowded = plan.backbone.scenes
    model = PatchNaming(build(plan.backbone), len(world.nouns))
    attend_plainly(model.backbone)
    training = Training("backbone", model, Schedule(steps, 1e-3, average_decay=0.995), folder)
    if training.step < steps:
        pool = join_pools(
            paint_pool(world.hard, hard, split=TRAINING_SPLIT, stream=9, world=world, reader="nobody"),
            paint_pool(world.easy, easy, split=TRAINING_SPLIT, stream=10, world=world, reader="nobody"),
            paint_pool(world.crowded, crowded, split=TRAINING_SPLIT, stream=11, world=world, reader="nobody"),
        )
    unseen = list(plan.unseen)

    def step(rng: np.random.Generator) -> torch.Tensor:
        chosen = rng.integers(len(pool), size=BATCH)
        pixels, labels = pool.pixels(chosen), pool.labels[chosen]
        if rng.random() < 0.5:
            pixels, labels = pixels.flip(-1), labels[..., ::-1].copy()
        shares = _patch_shares(labels, len(world.nouns))
        logits, redrawn = model(disturb(pixels))
        known = shares[..., unseen].sum(dim=-1) == 0
        logits[..., unseen] = float("-inf")
        naming = -(shares * torch.log_softmax(logits, dim=-1).masked_fill(shares == 0, 0.0)).sum(dim=-1)
        patches = functional.unfold(pixels, PATCH, stride=PATCH).transpose(1, 2)
        return naming[known].mean() + 0.3 * functional.l1_loss(redrawn, patches)

    training.run(step)
    return model.backbone


def save(folder: Path, model: Dinov2Model) -> None:
    """Write a transformers model directory in half precision, safetensors only."""
    model.to(torch.float16).save_pretrained(folder, safe_serialization=True)
