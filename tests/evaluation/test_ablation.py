from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from freeda_svc.bank import PrototypeStore, Selection, make_or_open_folder
from freeda_svc.bank.curation import CurationRule, apply_curation, assess
from freeda_svc.evaluation import Dataset
from freeda_svc.evaluation.ablation import APPEARANCE_WEIGHTS, KEPT_SHARES, KS, NEAR, Variant, ablate, list_variants
from freeda_svc.evaluation.miniature_world import write_validation_set
from freeda_svc.miniature.scenes import NOUNS
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import SegmentationParameters
from tests.made_prototypes import make_prototype

GIVEN = read_pack_parameters("miniature").parameters.segmentation
PER_NOUN = 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PrototypeStore]:
    generator = np.random.default_rng(7)
    with make_or_open_folder(tmp_path / "bank", "0" * 16, 4, 6) as opened:
        opened.add(
            [
                make_prototype(
                    noun,
                    caption_id=f"{number:016x}",
                    key=generator.normal(size=4).astype(np.float32),
                    vector=generator.normal(size=6).astype(np.float32),
                    mask_area=float(generator.uniform(0.1, 0.9)),
                    contrast=float(generator.uniform()),
                    image_text_score=float(generator.uniform()),
                    pack="0" * 16,
                    image="a.png",
                    mask="a.mask.png",
                )
                for noun in ("boat", "fish")
                for number in range(PER_NOUN)
            ]
        )
        yield opened


@dataclass
class Stub:
    """Stands where the segmenter is, answers the first class, and looks how many prototypes are marked."""

    store: PrototypeStore
    seen: list[tuple[SegmentationParameters, int]] = field(default_factory=list)
    regions: list[np.ndarray | None] = field(default_factory=list)

    def segment_many(
        self, images: Iterable[Path], categories: object, parameters: SegmentationParameters
    ) -> Iterator[SimpleNamespace]:
        for image in images:
            self.seen.append((parameters, self.store.count(Selection(outlier=True))))
            self.regions.append(getattr(image, "regions", None))
            yield SimpleNamespace(labels=np.zeros((64, 64), dtype=np.int32))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_validation_set(tmp_path_factory.mktemp("scenes"), 2)


def test_each_variant_of_an_ablation_changes_one_thing() -> None:
    variants = list_variants(GIVEN, {"region_size": 9})
    names = {group: [v.name for v in variants if v.group == group] for group in {v.group for v in variants}}
    assert names["parts"] == ["backbone only", "+ global similarity", "+ superpixels"]
    assert names["superpixels"] == ["felzenszwalb", "slic", "watershed", "seeds", "quickshift", "none", "none, PAMR"]
    assert names["regions"] == ["superpixels", "true regions"]
    assert [variant.name for variant in variants if variant.true_regions] == ["true regions"]
    assert names["aggregation"] == ["mean embedding", "mean similarity", "max similarity"]
    assert names["K"] == [str(k) for k in sorted({*KS, GIVEN.k})]
    assert names["refinement"] == ["PAMR", "near PAMR", "no superpixels, near PAMR"]
    assert names["votes"] == [f"weight {weight:g}" for weight in APPEARANCE_WEIGHTS]
    assert names["curation"] == ["off", *(f"keep {share:g}" for share in KEPT_SHARES)]


def test_parts_are_added_one_by_one() -> None:
    backbone, with_global, full = (variant.parameters for variant in list_variants(GIVEN)[:3])
    assert (backbone.beta, backbone.superpixels.algorithm) == (1.0, "none")
    assert (with_global.beta, with_global.superpixels.algorithm) == (GIVEN.beta, "none")
    assert full == GIVEN


def test_refined_variants_differ_by_refinement_and_regions_alone() -> None:
    refined = {v.name: v.parameters for v in list_variants(GIVEN) if v.group == "refinement"}
    assert {parameters.refinement.way for parameters in refined.values()} == {"pamr"}
    assert [p.superpixels.algorithm for p in refined.values()] == ["felzenszwalb", "felzenszwalb", "none"]
    assert refined["near PAMR"].refinement.dilations == NEAR != refined["PAMR"].refinement.dilations
    assert refined["PAMR"].replace(refinement=GIVEN.refinement) == GIVEN


def test_votes_differ_by_their_weight_alone() -> None:
    votes = [variant.parameters for variant in list_variants(GIVEN) if variant.group == "votes"]
    assert [parameters.appearance_weight for parameters in votes] == list(APPEARANCE_WEIGHTS)
    assert all(p.replace(appearance_weight=GIVEN.appearance_weight) == GIVEN for p in votes)


def test_other_algorithms_take_their_own_numbers() -> None:
    cuts = {v.name: v.parameters.superpixels for v in list_variants(GIVEN, {"region_size": 9})}
    assert cuts["felzenszwalb"] == GIVEN.superpixels
    assert {cuts[name].region_size for name in ("slic", "watershed", "seeds", "quickshift")} == {9}


def test_equal_variants_are_evaluated_once_and_all_are_answered(store: PrototypeStore, dataset: Dataset) -> None:
    stub = Stub(store)
    variants = list_variants(GIVEN)
    told: list[tuple[int, int]] = []
    results = ablate(
        stub,  # type: ignore[arg-type]
        store,
        dataset,
        variants,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert [result.variant for result in results] == list(variants)
    different = len({variant.tried for variant in variants})
    assert different < len(variants)
    assert len(stub.seen) == 2 * different
    assert told[-1] == (2 * different, 2 * different)
    assert told == sorted(told)


def test_curated_variants_see_marks_and_no_other_does(store: PrototypeStore, dataset: Dataset) -> None:
    stub = Stub(store)
    variants = [Variant("curation", "half", GIVEN, 0.5), Variant("curation", "off", GIVEN)]
    ablate(stub, store, dataset, [*variants, Variant("curation", "most", GIVEN, 0.9)])  # type: ignore[arg-type]
    assert sorted(marked for _, marked in stub.seen) == [0, 0, 4, 4, PER_NOUN, PER_NOUN]
    assert store.count(Selection(outlier=True)) == 0


def test_marks_are_taken_back_when_it_is_interrupted(store: PrototypeStore, dataset: Dataset) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 1:
            assert store.count(Selection(outlier=True)) == PER_NOUN
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablate(Stub(store), store, dataset, [Variant("curation", "half", GIVEN, 0.5)], on_progress=interrupt)  # type: ignore[arg-type]
    assert store.count(Selection(outlier=True)) == 0


def test_marks_that_a_killed_ablation_left_do_not_count(store: PrototypeStore, dataset: Dataset) -> None:
    apply_curation(store, assess(store, CurationRule(keep=0.5)))
    stub = Stub(store)
    ablate(stub, store, dataset, [Variant("curation", "off", GIVEN)])  # type: ignore[arg-type]
    assert [marked for _, marked in stub.seen] == [0, 0]


def test_an_ablation_goes_on_where_it_was(store: PrototypeStore, dataset: Dataset, tmp_path: Path) -> None:
    variants = [Variant("curation", "off", GIVEN), Variant("curation", "half", GIVEN, 0.5)]
    first = ablate(Stub(store), store, dataset, variants, folder=tmp_path / "counts", identity={"pack": "x"})  # type: ignore[arg-type]
    stub = Stub(store)
    again = ablate(stub, store, dataset, variants, folder=tmp_path / "counts", identity={"pack": "x"})  # type: ignore[arg-type]
    assert again == first
    assert stub.seen == []
    ablate(stub, store, dataset, variants, folder=tmp_path / "counts", identity={"pack": "y"})  # type: ignore[arg-type]
    assert len(stub.seen) == 4


def test_the_score_is_that_of_the_answers(store: PrototypeStore, dataset: Dataset) -> None:
    (result,) = ablate(Stub(store), store, dataset, [Variant("parts", "full", GIVEN)])  # type: ignore[arg-type]
    truth = np.stack([dataset.values.read(image.labels) for image in dataset.images])
    assert result.evaluation.pixel_accuracy == pytest.approx((truth == 0).mean())
    assert result.evaluation.classes[0].name == NOUNS[0]


def test_true_regions_are_those_of_the_label_maps(store: PrototypeStore, dataset: Dataset, tmp_path: Path) -> None:
    stub = Stub(store)
    variants = [Variant("regions", "superpixels", GIVEN), Variant("regions", "true regions", GIVEN, true_regions=True)]
    first = ablate(stub, store, dataset, variants, folder=tmp_path)  # type: ignore[arg-type]
    truth = [dataset.values.read(image.labels) for image in dataset.images]
    given = [regions for regions in stub.regions if regions is not None]
    assert len(given) == len(truth) == len(stub.regions) / 2
    assert all(np.array_equal(regions, labels) for regions, labels in zip(given, truth, strict=True))
    again = Stub(store)
    assert ablate(again, store, dataset, variants, folder=tmp_path) == first  # type: ignore[arg-type]
    assert again.seen == []
