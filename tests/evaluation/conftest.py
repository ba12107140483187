from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

Write = Callable[[Path, object], Path]


def _write_labels(path: Path, values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.asarray(values)
    image = Image.fromarray(labels.astype(np.uint16 if labels.max() > 255 else np.uint8))
    if image.mode == "L":
        image.putpalette(bytes(range(256)) * 3)
    image.save(path)
    return path


def _write_photo(path: Path, size: object = (3, 2)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "teal").save(path)  # type: ignore[arg-type]
    return path


@pytest.fixture
def write_labels() -> Write:
    """Write an indexed PNG with a palette, or a 16-bit one where values are large."""
    return _write_labels


@pytest.fixture
def write_photo() -> Write:
    """Write a picture of a given width and height."""
    return _write_photo


@pytest.fixture(scope="session")
def reference_scores() -> Callable[[np.ndarray, np.ndarray, int], dict[str, object]]:
    """What scikit-learn says of true and predicted labels, after ignored pixels were left out."""

    def score(truth: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, object]:
        labels = list(range(classes))
        present = sorted({*truth.tolist(), *predicted.tolist()})
        true = sorted(set(truth.tolist()))
        return {
            "counts": metrics.confusion_matrix(truth, predicted, labels=labels),
            "iou": dict(
                zip(present, metrics.jaccard_score(truth, predicted, labels=present, average=None), strict=True)
            ),
            "mean_iou": metrics.jaccard_score(truth, predicted, labels=present, average="macro"),
            "mean_accuracy": metrics.recall_score(truth, predicted, labels=true, average="macro"),
            "pixel_accuracy": metrics.accuracy_score(truth, predicted),
        }

    return score
