"""A pack of the wide painted world that is trained for two steps only: every part works, and none is any good."""

from dataclasses import replace
from pathlib import Path

from freeda_svc.miniature.training import recipe, vocabulary
from freeda_svc.miniature.training.pack import write_pack
from freeda_svc.miniature.training.plans import WIDE_PLAN, TrainingPlan

STEPS = 2
TINY_WIDE_PLAN: TrainingPlan = replace(
    WIDE_PLAN,
    autoencoder=replace(WIDE_PLAN.autoencoder, steps=STEPS, scenes=(4, 4, 4)),
    generator=replace(WIDE_PLAN.generator, steps=STEPS, channels=(16, 32), heads=(1, 2), text_width=32, scenes=8),
    backbone=replace(WIDE_PLAN.backbone, steps=STEPS, width=24, layers=1, heads=2, scenes=(8, 4, 4)),
    image_text=replace(
        WIDE_PLAN.image_text, steps=STEPS, dimension=16, image_width=32, image_layers=1, text_width=16, scenes=(8, 8)
    ),
    captions=60,
)


def train_tiny_wide_models(build: Path) -> None:
    """Train in this process what ``train_all`` trains in two."""
    if not (build / "tokenizer").is_dir():
        vocabulary.train(build / "tokenizer", TINY_WIDE_PLAN)
    recipe.train_generator(build, TINY_WIDE_PLAN)
    recipe.train_encoders(build, TINY_WIDE_PLAN)


def make_tiny_wide_pack(folder: Path) -> Path:
    """Train and write the pack into ``folder / "pack"``, and return that."""
    train_tiny_wide_models(folder / "build")
    recipe.write_models(folder / "build", folder / "pack", TINY_WIDE_PLAN)
    write_pack(folder / "pack", TINY_WIDE_PLAN)
    return folder / "pack"
