import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.errors import InputError
from freeda_svc.evaluation import ConfusionMatrix

steady = settings(deadline=None, derandomize=True)
label_pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60)


def counted(pairs: list[tuple[int, int]], classes: int = 4) -> ConfusionMatrix:
    matrix = ConfusionMatrix(classes)
    truth, predicted = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    matrix.add(truth, predicted)
    return matrix


@steady
@given(pairs=label_pairs)
def test_iou_is_the_overlap_of_pixel_sets(pairs: list[tuple[int, int]]) -> None:
    matrix = counted(pairs)
    ious = []
    for label in range(4):
        truth = {place for place, (true, _) in enumerate(pairs) if true == label}
        predicted = {place for place, (_, guess) in enumerate(pairs) if guess == label}
        if truth | predicted:
            ious.append(len(truth & predicted) / len(truth | predicted))
            assert matrix.iou()[label] == pytest.approx(ious[-1])
        else:
            assert math.isnan(matrix.iou()[label])
    if ious:
        assert matrix.mean_iou() == pytest.approx(sum(ious) / len(ious))
        assert matrix.pixel_accuracy() == pytest.approx(sum(true == guess for true, guess in pairs) / len(pairs))
    else:
        assert math.isnan(matrix.mean_iou())
        assert math.isnan(matrix.pixel_accuracy())


@steady
@given(first=label_pairs, second=label_pairs)
def test_counts_of_images_add_up(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    assert np.array_equal(counted(first).counts + counted(second).counts, counted(first + second).counts)


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([[0, 0], [0, 2]], dtype=np.uint8), np.array([[0, 1], [1, 2]], dtype=np.int32))
    assert matrix.counts.tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_ignored_pixels_are_left_out_whatever_was_predicted() -> None:
    matrix = ConfusionMatrix(2, ignore=255)
    matrix.add(np.array([0, 1, 255, 255], dtype=np.uint8), np.array([0, 0, 1, 99], dtype=np.uint8))
    assert matrix.counts.tolist() == [[1, 0], [1, 0]]


def test_many_classes_do_not_overflow_small_labels() -> None:
    matrix = ConfusionMatrix(200)
    matrix.add(np.full(3, 199, dtype=np.uint8), np.full(3, 198, dtype=np.uint8))
    assert matrix.counts[199, 198] == 3


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros(3, dtype=int), np.zeros(4, dtype=int), "must have the same shape"),
        (np.array([0, 2]), np.array([0, 1]), "true label 2 is not a class; labels go from 0 to 1"),
        (np.array([0, 1]), np.array([0, -1]), "predicted label -1 is not a class"),
        (np.array([0.0]), np.array([0]), "true labels must be integers, not float64"),
        (np.array([0]), np.array([0.5]), "predicted labels must be integers, not float64"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(truth: np.ndarray, predicted: np.ndarray, message: str) -> None:
    matrix = ConfusionMatrix(2)
    with pytest.raises(InputError, match=message):
        matrix.add(truth, predicted)
    assert matrix.counts.sum() == 0


@pytest.mark.parametrize(("classes", "ignore", "message"), [(0, None, "at least 1"), (3, 2, "is one of the 3 classes")])
def test_a_matrix_that_makes_no_sense_is_refused(classes: int, ignore: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ConfusionMatrix(classes, ignore)


@steady
@given(pairs=st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_scores_are_those_of_scikit_learn(
    reference_scores: Callable[..., dict[str, object]], pairs: list[tuple[int, int]]
) -> None:
    matrix = ConfusionMatrix(4, ignore=-1)
    truth, predicted = np.array(pairs, dtype=np.int64).T
    matrix.add(truth, predicted)
    counted = truth >= 0
    if not counted.any():
        assert math.isnan(matrix.mean_accuracy())
        return
    expected = reference_scores(truth[counted], predicted[counted], 4)
    assert np.array_equal(matrix.counts, expected["counts"])
    iou = {label: value for label, value in enumerate(matrix.iou()) if not np.isnan(value)}
    assert iou == pytest.approx(expected["iou"])
    assert matrix.mean_iou() == pytest.approx(expected["mean_iou"])
    assert matrix.mean_accuracy() == pytest.approx(expected["mean_accuracy"])
    assert matrix.pixel_accuracy() == pytest.approx(expected["pixel_accuracy"])


def test_a_class_that_is_only_predicted_has_no_accuracy() -> None:
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([0, 0, 1]), np.array([0, 2, 1]))
    assert matrix.accuracy()[:2].tolist() == [0.5, 1.0]
    assert math.isnan(matrix.accuracy()[2])
    assert matrix.iou()[2] == 0
