from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from freeda_svc.errors import InputError
from freeda_svc.evaluation import Dataset, KeptCounts, LabelledImage, evaluate
from freeda_svc.evaluation.datasets import IGNORED, LabelValues
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import UnknownParameters
from freeda_svc.segmentation import Category

Write = Callable[[Path, object], Path]
PARAMETERS = read_pack_parameters("miniature").parameters.segmentation
CHANNEL = PARAMETERS.replace(unknown=UnknownParameters(way="channel"))


@dataclass
class Stub:
    """Stands where the segmenter is and says what it is told to, image by image."""

    answers: dict[str, np.ndarray]
    asked: list[str] = field(default_factory=list)
    parameters: list[object] = field(default_factory=list)

    def segment_many(
        self, images: Iterable[Path], categories: Sequence[Category], parameters: object
    ) -> Iterator[SimpleNamespace]:
        self.parameters.append(parameters)
        for image in images:
            self.asked.append(image.name)
            yield SimpleNamespace(labels=self.answers[image.name])


@pytest.fixture
def dataset(tmp_path: Path, write_labels: Write) -> Dataset:
    """Six images of random labels, where 255 is ignored and 9 means the first class."""
    generator = np.random.default_rng(3)
    images = []
    for number in range(6):
        labels = generator.choice([9, 1, 2, 255], size=(5, 7))
        path = write_labels(tmp_path / "masks" / f"{number}.png", labels)
        images.append(LabelledImage(str(number), Path(f"{number}.jpg"), path))
    return Dataset(
        name="small",
        classes=("a", "b", "c"),
        categories=(Category("a"), Category("b"), Category("c")),
        background=False,
        images=tuple(images),
        values=LabelValues({9: 0, 1: 1, 2: 2, 255: IGNORED}),
    )


@pytest.fixture
def stub(dataset: Dataset) -> Stub:
    generator = np.random.default_rng(4)
    return Stub({image.image.name: generator.integers(0, 3, (5, 7), dtype=np.int32) for image in dataset.images})


def test_scores_over_a_dataset_are_those_of_scikit_learn(
    dataset: Dataset, stub: Stub, reference_scores: Callable[..., dict[str, object]]
) -> None:
    result = evaluate(stub, dataset, PARAMETERS)  # type: ignore[arg-type]
    truth = np.concatenate([dataset.values.read(image.labels).ravel() for image in dataset.images])
    predicted = np.concatenate([stub.answers[image.image.name].ravel() for image in dataset.images])
    expected = reference_scores(truth[truth >= 0], predicted[truth >= 0], 3)
    assert result.mean_iou == pytest.approx(expected["mean_iou"])
    assert result.mean_accuracy == pytest.approx(expected["mean_accuracy"])
    assert result.pixel_accuracy == pytest.approx(expected["pixel_accuracy"])
    assert {number: score.iou for number, score in enumerate(result.classes)} == pytest.approx(expected["iou"])
    assert [score.name for score in result.classes] == ["a", "b", "c"]
    assert sum(score.pixels for score in result.classes) == (truth >= 0).sum()
    assert (result.dataset, result.images) == ("small", 6)


def test_with_a_background_what_is_unknown_becomes_it(dataset: Dataset, stub: Stub) -> None:
    less = replace(dataset, categories=dataset.categories[1:], background=True)
    moved = Stub({name: labels - 1 for name, labels in stub.answers.items()})  # -1 is unknown
    expected = evaluate(stub, dataset, PARAMETERS)  # type: ignore[arg-type]
    assert evaluate(moved, less, CHANNEL) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("fill", "expected"), [("", "white"), ("black", "black")])
def test_transparent_pixels_get_a_class_like_all_others(dataset: Dataset, stub: Stub, fill: str, expected: str) -> None:
    evaluate(stub, dataset, PARAMETERS.replace(fill_transparent=fill))  # type: ignore[arg-type]
    assert stub.parameters == [PARAMETERS.replace(fill_transparent=expected)]


def test_unknown_pixels_need_a_background(dataset: Dataset, stub: Stub) -> None:
    with pytest.raises(InputError, match="small has no class for what is unknown"):
        evaluate(stub, dataset, CHANNEL)  # type: ignore[arg-type]
    assert stub.asked == []


def test_progress_is_reported_and_a_limit_is_kept(dataset: Dataset, stub: Stub) -> None:
    told: list[tuple[int, int]] = []
    result = evaluate(
        stub,  # type: ignore[arg-type]
        dataset,
        PARAMETERS,
        limit=2,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert result.images == 2
    assert stub.asked == ["0.jpg", "1.jpg"]


def test_an_interrupted_evaluation_goes_on_where_it_was(dataset: Dataset, stub: Stub, tmp_path: Path) -> None:
    expected = evaluate(stub, dataset, PARAMETERS)  # type: ignore[arg-type]
    stub.asked.clear()

    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(stub, dataset, PARAMETERS, kept=KeptCounts(tmp_path / "out", {}), on_progress=interrupt)  # type: ignore[arg-type]
    assert stub.asked == ["0.jpg", "1.jpg", "2.jpg"]
    stub.asked.clear()
    told: list[tuple[int, int]] = []
    again = evaluate(
        stub,  # type: ignore[arg-type]
        dataset,
        PARAMETERS,
        kept=KeptCounts(tmp_path / "out", {}),
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert again == expected
    assert stub.asked == ["3.jpg", "4.jpg", "5.jpg"]
    assert told == [(3, 6), (4, 6), (5, 6), (6, 6)]


def test_labels_of_another_size_than_the_image_are_named(dataset: Dataset, stub: Stub) -> None:
    stub.answers["1.jpg"] = np.zeros((7, 5), dtype=np.int32)
    with pytest.raises(InputError, match=r"1\.jpg is 5 x 7, but its labels .*1\.png are 7 x 5"):
        evaluate(stub, dataset, PARAMETERS)  # type: ignore[arg-type]


def test_without_a_counted_pixel_there_are_no_scores(dataset: Dataset, stub: Stub) -> None:
    nothing = replace(dataset, values=LabelValues(dict.fromkeys((1, 2, 9, 255), IGNORED)))
    result = evaluate(stub, nothing, PARAMETERS)  # type: ignore[arg-type]
    assert (result.mean_iou, result.mean_accuracy, result.pixel_accuracy) == (None, None, None)
    assert {score.iou for score in result.classes} == {None}
