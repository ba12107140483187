"""How well labels agree with the truth: metrics, datasets as they are published, and the paper's protocol."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

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
        bank_place,
        fill_bank,
        validation_captions,
        validation_scenes,
        write_validation_set,
    )
    from freeda_svc.evaluation.open_vocabulary import OpenPlan, OpenScore, measure_open_vocabulary
    from freeda_svc.evaluation.own_dataset import folder_dataset
    from freeda_svc.evaluation.protocols import PROTOCOLS, Protocol, load_protocol
    from freeda_svc.evaluation.truth import TruePixels, check_dataset
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
