"""How well labels agree with the truth: metrics, datasets as they are published, and the paper's protocol."""

from freeda_svc.evaluation.datasets import Dataset, LabelledImage
from freeda_svc.evaluation.evaluating import ClassScore, Evaluation, evaluate
from freeda_svc.evaluation.folder_dataset import folder_dataset
from freeda_svc.evaluation.kept_counts import KeptCounts
from freeda_svc.evaluation.metrics import ConfusionMatrix
from freeda_svc.evaluation.protocols import PROTOCOLS, Protocol, load_protocol
from freeda_svc.evaluation.truth import TruePixels, look_through

__all__ = [
    "ConfusionMatrix",
    "Dataset",
    "LabelledImage",
    "folder_dataset",
    "PROTOCOLS",
    "Protocol",
    "load_protocol",
    "evaluate",
    "Evaluation",
    "ClassScore",
    "KeptCounts",
    "TruePixels",
    "look_through",
]
