"""Intersection over union and pixel accuracy, from counts over a whole dataset."""

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError

Labels = npt.NDArray[np.integer]


class ConfusionMatrix:
    """Counts pixels by true and predicted class, over as many images as are added.

    Attributes:
        counts: (n, n) int64, rows are the true class, columns the predicted one.
    """

    def __init__(self, classes: int, ignore: int | None = None) -> None:
        """Begin with no pixels.

        Args:
            classes: how many there are; labels are 0 to ``classes - 1``.
            ignore: a true label whose pixels are not counted, such as 255; None counts every pixel.

        Raises:
            InputError: there are no classes, or the ignored label is a class.
        """
        if classes < 1:
            raise InputError(f"the number of classes is {classes}, but must be at least 1")
        if ignore is not None and 0 <= ignore < classes:
            raise InputError(f"the ignored label {ignore} is one of the {classes} classes; choose one beyond them")
        self._classes = classes
        self._ignore = ignore
        self.counts: npt.NDArray[np.int64] = np.zeros((classes, classes), dtype=np.int64)

    def add(self, truth: Labels, predicted: Labels) -> None:
        """Count the pixels of an image.

        Args:
            truth: integer labels of any shape.
            predicted: integer labels of the same shape; where the truth is ignored they may be anything.

        Raises:
            InputError: shapes differ, or a label is not a class; nothing of the image is counted then.
        """
        if truth.shape != predicted.shape:
            raise InputError(f"truth {truth.shape} and prediction {predicted.shape} must have the same shape")
        counted = np.ones(truth.shape, dtype=bool) if self._ignore is None else truth != self._ignore
        true, guessed = self._checked("true", truth[counted]), self._checked("predicted", predicted[counted])
        pairs = np.bincount(true * self._classes + guessed, minlength=self._classes**2)
        self.counts += pairs.reshape(self._classes, self._classes)

    def _checked(self, kind: str, labels: Labels) -> npt.NDArray[np.int64]:
        if not np.issubdtype(labels.dtype, np.integer):
            raise InputError(f"{kind} labels must be integers, not {labels.dtype}")
        outside = (labels < 0) | (labels >= self._classes)
        if outside.any():
            raise InputError(
                f"{kind} label {labels[outside][0]} is not a class; labels go from 0 to {self._classes - 1}"
            )
        return labels.astype(np.int64)

    def iou(self) -> npt.NDArray[np.float64]:
        """Return (n,) intersection over union, 0 to 1; nan for a class in neither truth nor prediction."""
        intersection = np.diagonal(self.counts)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - intersection
        shares = np.full(self._classes, np.nan)
        shares[union > 0] = intersection[union > 0] / union[union > 0]
        return shares

    def mean_iou(self) -> float:
        """Return the mean over the classes that are in truth or prediction; nan before any pixel is counted."""
        iou = self.iou()
        present = iou[~np.isnan(iou)]
        return float(present.mean()) if present.size else float("nan")

    def accuracy(self) -> npt.NDArray[np.float64]:
        """Return (n,) the share of each class's true pixels that were found; nan for a class not in the truth."""
        true = self.counts.sum(axis=1)
        shares = np.full(self._classes, np.nan)
        shares[true > 0] = np.diagonal(self.counts)[true > 0] / true[true > 0]
        return shares

    def mean_accuracy(self) -> float:
        """Return the mean of ``accuracy`` over the classes in the truth; nan before any pixel is counted."""
        accuracy = self.accuracy()
        present = accuracy[~np.isnan(accuracy)]
        return float(present.mean()) if present.size else float("nan")

    def pixel_accuracy(self) -> float:
        """Return the share of pixels with the right class; nan before any pixel is counted."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts) / total) if total else float("nan")
