"""How well labels agree with the truth: metrics, datasets as they are published, and the paper's protocol."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.evaluation.ablation import Ablated, Variant, ablate, list_variants
    from freeda_svc.evaluation.agreement import MOST_POINTS, Agreement, measure_agreement
    from freeda_svc.evaluation.datasets import Dataset, LabelledImage
    from freeda_svc.evaluation.encoder_cache import with_encoder_cache
    from freeda_svc.evaluation.evaluating import ClassScore, Evaluation, evaluate
    from freeda_svc.evaluation.kept_counts import KeptCounts
    from freeda_svc.evaluation.metrics import ConfusionMatrix
    from freeda_svc.evaluation.miniature_world import (
        SCENES,
        SUPERPIXEL_NUMBERS,
        VALIDATION_SPLIT,
        fill_bank,
        validation_captions,
        validation_scenes,
        write_validation_set,
    )
    from freeda_svc.evaluation.own_dataset import folder_dataset
    from freeda_svc.evaluation.protocols import PROTOCOLS, Protocol, load_protocol
    from freeda_svc.evaluation.truth import TruePixels, look_through

__all__ = [
    "Ablated",
    "Agreement",
    "ClassScore",
    "ConfusionMatrix",
    "Dataset",
    "Evaluation",
    "KeptCounts",
    "LabelledImage",
    "MOST_POINTS",
    "PROTOCOLS",
    "Protocol",
    "SCENES",
    "SUPERPIXEL_NUMBERS",
    "TruePixels",
    "VALIDATION_SPLIT",
    "Variant",
    "ablate",
    "evaluate",
    "fill_bank",
    "folder_dataset",
    "list_variants",
    "load_protocol",
    "look_through",
    "measure_agreement",
    "validation_captions",
    "validation_scenes",
    "with_encoder_cache",
    "write_validation_set",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.evaluation.ablation": ("Ablated", "Variant", "ablate", "list_variants"),
        "freeda_svc.evaluation.agreement": ("MOST_POINTS", "Agreement", "measure_agreement"),
        "freeda_svc.evaluation.datasets": ("Dataset", "LabelledImage"),
        "freeda_svc.evaluation.encoder_cache": ("with_encoder_cache",),
        "freeda_svc.evaluation.evaluating": ("ClassScore", "Evaluation", "evaluate"),
        "freeda_svc.evaluation.own_dataset": ("folder_dataset",),
        "freeda_svc.evaluation.kept_counts": ("KeptCounts",),
        "freeda_svc.evaluation.metrics": ("ConfusionMatrix",),
        "freeda_svc.evaluation.miniature_world": (
            "SCENES",
            "SUPERPIXEL_NUMBERS",
            "VALIDATION_SPLIT",
            "fill_bank",
            "validation_captions",
            "validation_scenes",
            "write_validation_set",
        ),
        "freeda_svc.evaluation.protocols": ("PROTOCOLS", "Protocol", "load_protocol"),
        "freeda_svc.evaluation.truth": ("TruePixels", "look_through"),
    },
)
