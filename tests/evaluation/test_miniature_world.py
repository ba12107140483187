from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from freeda_svc.captions.caption import Caption
from freeda_svc.demo.world import CAPTION_SPLIT, TEST_SPLIT, DemoPlan, write_captions
from freeda_svc.evaluation import miniature_world
from freeda_svc.evaluation.miniature_world import (
    VALIDATION_SPLIT,
    fill_bank,
    validation_captions,
    validation_scenes,
    write_validation_set,
)
from freeda_svc.miniature.scenes import NOUNS


def test_captions_are_different_and_begin_alike() -> None:
    captions = validation_captions(40)
    assert len({caption.text for caption in captions}) == 40
    assert [caption.text for caption in validation_captions(10)] == [caption.text for caption in captions[:10]]


def test_the_demonstrations_scenes_take_no_part() -> None:
    assert VALIDATION_SPLIT not in {TEST_SPLIT, CAPTION_SPLIT}
    first, second = write_captions(DemoPlan(captions=30, extension_captions=3))
    assert [caption.text for caption in validation_captions(30)] != first + second


def test_scenes_and_labels_lie_in_a_folder(tmp_path: Path) -> None:
    dataset = write_validation_set(tmp_path, 3)
    scenes = validation_scenes(3)
    assert dataset.classes == NOUNS
    assert [category.name for category in dataset.categories] == list(NOUNS)
    assert len(dataset.images) == 3
    for image, scene in zip(dataset.images, scenes, strict=True):
        with Image.open(image.image) as picture:
            assert np.array_equal(np.asarray(picture), scene.image)
        assert np.array_equal(dataset.values.read(image.labels), scene.labels)


def test_scenes_that_are_there_are_not_painted_again(tmp_path: Path, monkeypatch: object) -> None:
    write_validation_set(tmp_path, 2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert len(write_validation_set(tmp_path, 1).images) == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")} == before


def test_fewer_scenes_than_are_there_are_the_first_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def paint_nothing(wanted: int, *_others: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(image=None, labels=None)] * wanted

    monkeypatch.setattr(miniature_world, "validation_scenes", paint_nothing)
    monkeypatch.setattr(miniature_world, "_write", lambda path, _pixels: path.touch())
    write_validation_set(tmp_path, 1003)  # scene-1000 comes before scene-101 in the order of names
    names = {image.name for image in write_validation_set(tmp_path, 200).images}
    assert names == {f"scene-{number:03d}" for number in range(200)}


def test_captions_whose_prototypes_are_there_are_left_out() -> None:
    captions = validation_captions(5)
    there = {captions[1].id}
    built: list[list[Caption]] = []
    added: list[object] = []
    told: list[tuple[int, int]] = []

    def build(part: Sequence[Caption]) -> SimpleNamespace:
        built.append(list(part))
        return SimpleNamespace(prototypes=tuple(part))

    store = SimpleNamespace(count=lambda selection: selection.caption_id in there, add=added.append)
    fill_bank(
        store,  # type: ignore[arg-type]
        SimpleNamespace(build=build),  # type: ignore[arg-type]
        captions,
        2,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert built == [[captions[0]], captions[2:4], [captions[4]]]
    assert len(added) == 3
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert miniature_world.CAPTIONS == 280
