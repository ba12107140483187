"""How well labels agree with the truth."""

from freeda_svc.evaluation.metrics import ConfusionMatrix

__all__ = ["ConfusionMatrix"]
