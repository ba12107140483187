from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_bank import built
from benchmarks.synthetic_bank.flat_baseline import FlatBaseline
from benchmarks.synthetic_bank.footprint import measure_footprint
from benchmarks.synthetic_bank.keys import BATCH, Batch, Shape, SyntheticKeys
from freeda_svc.bank import open_folder
from freeda_svc.prototypes.record import Prototype

SMALL = Shape(keys=2 * BATCH, nouns=50, dimension=8)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(built.CACHE_VARIABLE, str(tmp_path / "cache"))


def test_a_bank_is_built_once(tmp_path: Path) -> None:
    folder, first = built.build_bank(SyntheticKeys(SMALL))
    same, second = built.build_bank(SyntheticKeys(SMALL))

    assert folder == same
    assert folder.is_relative_to(tmp_path / "cache")
    assert first == second
    assert first.prototypes == SMALL.keys
    with open_folder(folder) as store:
        assert store.count() == SMALL.keys


def test_building_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def interrupted(batch: Batch) -> list[Prototype]:
        if batch.first > 0 and not made:
            made.append(batch.first)
            raise KeyboardInterrupt
        return make_prototypes(batch)

    make_prototypes = built.make_prototypes
    monkeypatch.setattr(built, "make_prototypes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        built.build_bank(SyntheticKeys(SMALL))

    folder, ingest = built.build_bank(SyntheticKeys(SMALL))

    assert made == [BATCH]
    assert ingest.prototypes == SMALL.keys
    with open_folder(folder) as store:
        assert store.count() == SMALL.keys


def test_another_shape_has_another_place() -> None:
    assert len({built.bank_folder(SyntheticKeys(Shape(keys=BATCH, nouns=9, dimension=4, seed=n))) for n in (0, 1)}) == 2


def test_the_bank_finds_all_that_the_flat_index_finds() -> None:
    synthetic = SyntheticKeys(SMALL)
    queries = synthetic.unknown(5)
    folder, _ = built.build_bank(synthetic)
    flat = FlatBaseline(synthetic)

    rows, scores, prototypes = flat.nearest(queries, 20)
    with open_folder(folder) as store:
        found = store.nearest(queries, 20)

    assert flat.recall(queries, [flat.rows_of(neighbours.ids) for neighbours in found], 20) == 1
    assert flat.recall(queries, list(rows), 20) == pytest.approx(1, abs=0.01)
    for neighbours, score, prototype, row in zip(found, scores, prototypes, rows, strict=True):
        np.testing.assert_allclose(neighbours.scores, score, atol=1e-6)
        same = flat.rows_of(neighbours.ids) == row
        np.testing.assert_array_equal(neighbours.vectors[same], prototype[same])


def test_recall_is_the_share_of_the_nearest_each_counted_once() -> None:
    synthetic = SyntheticKeys(SMALL)
    flat = FlatBaseline(synthetic)
    queries = synthetic.unknown(1)
    (nearest,) = flat.nearest(queries, 40)[0]

    half_beyond = np.concatenate([nearest[:10], nearest[30:]])
    assert flat.recall(queries, [half_beyond], 20) == 0.5
    assert flat.recall(queries, [np.tile(nearest[:5], 4)], 20) == 0.25


def test_another_process_tells_what_it_took(tmp_path: Path) -> None:
    synthetic = SyntheticKeys(SMALL)
    folder, _ = built.build_bank(synthetic)

    took = measure_footprint(folder, synthetic.unknown(3), 20, tmp_path)

    assert took.open_seconds > 0
    assert took.peak_rss_mb > took.anonymous_mb > 0
