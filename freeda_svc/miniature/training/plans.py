"""What is trained for each painted world: sizes of models, steps, and how many scenes are painted for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from freeda_svc.miniature.worlds import SMALL, WIDE, World


@dataclass(frozen=True)
class AutoencoderPlan:
    """Steps, channels, and painted scenes: crowded, easy, hard."""

    steps: int = 4000
    channels: int = 16
    scenes: tuple[int, int, int] = (3000, 3000, 2000)


@dataclass(frozen=True)
class GeneratorPlan:
    """Steps, the U-Net's channels and heads at 16 x 16 and 8 x 8, the text encoder, and painted easy scenes."""

    steps: int = 9000
    channels: tuple[int, int] = (48, 96)
    heads: tuple[int, int] = (3, 6)
    text_width: int = 96
    text_layers: int = 1
    scenes: int = 12_000


@dataclass(frozen=True)
class BackbonePlan:
    """Steps, the transformer, and painted scenes: hard, easy, crowded.

    Attributes:
        unseen: nouns whose patches take no part in the naming loss.
    """

    unseen: tuple[str, ...]
    steps: int = 3000
    width: int = 96
    layers: int = 4
    heads: int = 4
    scenes: tuple[int, int, int] = (6000, 3000, 3000)


@dataclass(frozen=True)
class ImageTextPlan:
    """Steps, the two towers, and painted scenes: easy, hard."""

    steps: int = 2500
    dimension: int = 64
    image_width: int = 96
    image_layers: int = 3
    image_patch: int = 8
    text_width: int = 64
    text_layers: int = 2
    scenes: tuple[int, int] = (5000, 9000)


@dataclass(frozen=True)
class TrainingPlan:
    """How the models of one pack are trained.

    Attributes:
        world: what they are trained on.
        backbone: of the dense backbone.
        description: of the pack, in one line.
        made_by: the command that makes it.
        context_length: tokens of the longest caption.
        captions: painted scenes that the tokenizer learns words from.
    """

    world: World
    backbone: BackbonePlan
    description: str
    made_by: str
    autoencoder: AutoencoderPlan = field(default_factory=AutoencoderPlan)
    generator: GeneratorPlan = field(default_factory=GeneratorPlan)
    image_text: ImageTextPlan = field(default_factory=ImageTextPlan)
    context_length: int = 32
    captions: int = 3000

    @cached_property
    def unseen(self) -> tuple[int, ...]:
        """The labels whose patches take no part in the backbone's naming loss."""
        return tuple(self.world.nouns.index(noun) for noun in self.backbone.unseen)


SMALL_PLAN = TrainingPlan(
    world=SMALL,
    backbone=BackbonePlan(unseen=("moon", "car", "water")),
    description="A painted world of fourteen nouns at 64 x 64 pixels, for seeing and testing everything",
    made_by="make miniature",
)

WIDE_PLAN = TrainingPlan(
    world=WIDE,
    backbone=BackbonePlan(
        unseen=(*(thing.noun for thing in WIDE.things if thing.known_by != "captions"), "moon", "bus"),
        steps=8000,
        width=128,
        layers=5,
        scenes=(12_000, 5000, 8000),
    ),
    description="A painted world of 39 nouns in kinds, with synonyms and words that no bank knows, at 64 x 64 pixels",
    made_by="make miniature-wide",
    autoencoder=AutoencoderPlan(steps=5000),
    generator=GeneratorPlan(steps=11_000, channels=(64, 128), heads=(4, 8), text_width=128, scenes=24_000),
    image_text=ImageTextPlan(
        steps=4800, dimension=96, image_width=128, image_layers=4, text_width=96, scenes=(10_000, 18_000)
    ),
    context_length=48,
    captions=12_000,
)

PLANS: Mapping[str, TrainingPlan] = {plan.world.name: plan for plan in (SMALL_PLAN, WIDE_PLAN)}
