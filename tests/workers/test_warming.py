"""A worker that calls itself ready has done once what it does for an image."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import BankName
from freeda_svc.segmentation import Segmenter, encoding
from freeda_svc.settings import Settings
from freeda_svc.workers import becoming_able, warming
from freeda_svc.workers.ability import begin_ability, read_ability
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.trial import try_parts
from freeda_svc.workers.warming import warm_up
from tests.made_prototypes import make_prototype

FIRST = BankName("default", 1)


@pytest.fixture
def resources(make_settings: Callable[..., Settings], tiny_pack_folder: Path) -> Iterator[Resources]:
    made = Resources(make_settings(pack=str(tiny_pack_folder)))
    yield made
    made.close()


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of what was segmented."""
    sizes: list[tuple[int, int]] = []
    real = Segmenter.segment

    def segment(self: Segmenter, *given: object) -> object:
        found = real(self, *given)  # type: ignore[arg-type]
        sizes.append(found.labels.shape)
        return found

    monkeypatch.setattr(Segmenter, "segment", segment)
    return sizes


def _fill(resources: Resources) -> None:
    generator = np.random.default_rng(0)
    key, vector = (
        generator.normal(size=part.dimension) for part in (resources.pack.image_text, resources.pack.backbone)
    )
    store = resources.bank(FIRST)
    store.add([make_prototype("ball", key=key, vector=vector, pack=store.pack)])
    resources.let_go(FIRST)


def test_a_window_is_segmented_with_the_bank_which_is_let_go(
    resources: Resources, segmented: list[tuple[int, int]]
) -> None:
    _fill(resources)
    left = resources.settings.worker_lock.with_suffix(".warming")
    (left / "result").mkdir(parents=True)  # by a process that was killed
    warm_up(resources)
    window = resources.pack.parameters.segmentation.window
    assert segmented == [(window, window)]
    assert not resources.is_open(FIRST)
    assert not left.exists()


def test_a_bank_that_is_open_stays_open(resources: Resources) -> None:
    _fill(resources)
    resources.bank(FIRST)
    warm_up(resources)
    assert resources.is_open(FIRST)


@pytest.mark.parametrize("made", [False, True])
def test_without_a_prototype_models_and_superpixels_are_warm(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    if made:
        resources.create(FIRST)
    cut: list[tuple[int, ...]] = []
    real = encoding.cut_superpixels
    monkeypatch.setattr(encoding, "cut_superpixels", lambda crop, given: (cut.append(crop.shape), real(crop, given))[1])
    warm_up(resources)
    window = resources.pack.parameters.segmentation.window
    assert cut == [(window, window, 3)]
    assert not resources.is_open(FIRST)


def test_a_worker_works_without_having_warmed_up(resources: Resources, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_way = resources.settings.worker_lock.with_suffix(".warming")
    in_the_way.write_text("a file where warming up has its folder")
    assert all(tried.works for tried in try_parts(resources.settings, resources, warm=True))
    assert "the first image will take longer than others" in "".join(capsys.readouterr())
    assert in_the_way.read_text().startswith("a file")


def test_a_worker_of_images_is_warm_before_it_is_able(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    able: list[bool] = []

    def look(_held: Resources) -> None:
        found = read_ability(resources.settings)
        assert found is not None
        able.append(found.able)

    monkeypatch.setattr(warming, "warm_up", look)
    begin_ability(resources.settings, 1)
    becoming_able.become_able(resources, 1)  # one that serves no images
    assert able == []
    begin_ability(resources.settings, 1)
    becoming_able.become_able(resources, 1, segments=True)
    assert able == [False]
