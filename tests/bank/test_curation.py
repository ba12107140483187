from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank import ALL, PrototypeStore, Selection, make_or_open_folder, point_id
from freeda_svc.bank.curation import MARK, CurationRule, agreement, apply_curation, assess, uncurate
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import EXEMPLAR, Prototype

MakePrototypes = Callable[..., list[Prototype]]
COUNT, STRANGE = 20, 4


@pytest.fixture
def store(fast_folder: Path) -> Iterator[PrototypeStore]:
    with make_or_open_folder(fast_folder / "bank", "pack-of-the-tests", 5, 7) as opened:
        yield opened


@pytest.fixture
def prototypes(make_prototypes: MakePrototypes) -> list[Prototype]:
    """Twenty dogs, of which the last four look like something else."""
    generator = np.random.default_rng(7)
    vectors = np.ones((COUNT, 7)) + 0.05 * generator.normal(size=(COUNT, 7))
    vectors[-STRANGE:] *= np.array([1, -1, 1, -1, 1, -1, 1])
    return make_prototypes(
        COUNT, nouns=["dog"], vectors=vectors.astype(np.float32), keys=np.ones((COUNT, 5), np.float32)
    )


def strange_ids(prototypes: list[Prototype]) -> set[str]:
    return {point_id(prototype) for prototype in prototypes[-STRANGE:]}


def test_what_looks_like_something_else_is_marked_and_not_retrieved(
    store: PrototypeStore, prototypes: list[Prototype]
) -> None:
    store.add(prototypes)
    report = assess(store, CurationRule(keep=0.8))
    assert set(report.reasons) == strange_ids(prototypes)
    assert set(report.reasons.values()) == {f"{MARK}low agreement"}
    assert (report.assessed, report.left_alone, report.nouns) == (COUNT, 0, {"dog": (STRANGE, COUNT)})
    assert store.count(Selection(outlier=True)) == 0  # nothing is changed yet
    assert apply_curation(store, report) == STRANGE
    found = set(store.nearest(np.ones((1, 5), dtype=np.float32), COUNT)[0].ids)
    assert found == {point_id(prototype) for prototype in prototypes[:-STRANGE]}
    assert store.count(ALL) == COUNT


def test_everything_can_be_undone_but_marks_of_others(store: PrototypeStore, prototypes: list[Prototype]) -> None:
    store.add(prototypes)
    own, *_ = strange_ids(prototypes)
    store.mark({own: "I do not like it"})
    assert apply_curation(store, assess(store, CurationRule(keep=0.8))) == STRANGE - 1
    assert store.payloads([own])[0]["outlier"] == "I do not like it"
    assert uncurate(store) == STRANGE - 1
    assert store.select(Selection(outlier=True)) == [own]
    assert uncurate(store) == 0


def test_curating_again_compares_all_and_takes_back_what_is_usual_by_then(
    store: PrototypeStore, prototypes: list[Prototype], make_prototypes: MakePrototypes
) -> None:
    store.add(prototypes)
    first = assess(store, CurationRule(keep=0.8))
    apply_curation(store, first)
    assert assess(store, CurationRule(keep=0.8)) == first
    strange = prototypes[-1].vector
    more = make_prototypes(
        60, nouns=["dog"], vectors=np.tile(strange, (60, 1)), start=1000, keys=np.ones((60, 5), np.float32)
    )
    store.add(more)
    report = assess(store, CurationRule(keep=0.8))
    assert set(report.reasons) == {point_id(prototype) for prototype in prototypes[:-STRANGE]}
    apply_curation(store, report)
    assert set(store.select(Selection(outlier=True))) == set(report.reasons)


def test_curating_again_with_nothing_new_changes_nothing(store: PrototypeStore, prototypes: list[Prototype]) -> None:
    store.add(prototypes)
    assert apply_curation(store, assess(store, CurationRule(keep=0.8))) == STRANGE
    version = store.revision()
    assert apply_curation(store, assess(store, CurationRule(keep=0.8))) == 0
    assert store.revision() == version  # else what readers keep of the bank would be fetched anew
    assert uncurate(store) == STRANGE
    version = store.revision()
    assert uncurate(store) == 0
    assert store.revision() == version


def test_small_nouns_and_exemplars_are_left_alone(store: PrototypeStore, prototypes: list[Prototype]) -> None:
    few = [replace(prototype, noun="cat") for prototype in prototypes[:9]]
    exemplars = [replace(prototype, noun="cow", origin=EXEMPLAR) for prototype in prototypes]
    store.add([*few, *exemplars])
    report = assess(store, CurationRule(keep=0.5))
    assert (report.assessed, report.left_alone, report.reasons, report.nouns) == (0, 9 + COUNT, {}, {})


@pytest.mark.parametrize(
    ("rule", "changes", "reason"),
    [
        (CurationRule(0.9, agreement=0, contrast=0), {"image_text_score": 0.1}, "image-text score"),
        (CurationRule(0.9, agreement=0, image_text=0), {"contrast": 0.1}, "contrast"),
        (CurationRule(0.9, agreement=0, image_text=0, contrast=0, area=1), {"mask_area": 0.9}, "area"),
        (CurationRule(0.9, agreement=0, image_text=0, contrast=0, area=1), {"mask_area": 0.001}, "area"),
    ],
)
def test_each_criterion_marks_what_it_is_about(
    store: PrototypeStore, prototypes: list[Prototype], rule: CurationRule, changes: dict[str, float], reason: str
) -> None:
    plain = prototypes[:10]
    plain[6] = replace(plain[6], **changes)  # type: ignore[arg-type]
    store.add(plain)
    assert assess(store, rule).reasons == {point_id(plain[6]): f"{MARK}low {reason}"}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(count=st.integers(2, 30), seed=st.integers(0, 2**32 - 1))
def test_agreement_is_the_mean_cosine_with_the_trusted_others(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(count, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    trust = generator.permutation(count).astype(np.float64)
    trusted = set(np.argsort(-trust)[: max(2, -(-count // 2))].tolist())
    expected = [np.mean([vectors[one] @ vectors[other] for other in trusted if other != one]) for one in range(count)]
    np.testing.assert_allclose(agreement(vectors.astype(np.float32), trust), expected, atol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95, 1.0])
def test_the_share_that_was_asked_for_stays(store: PrototypeStore, prototypes: list[Prototype], share: float) -> None:
    store.add(prototypes)
    assert len(assess(store, CurationRule(keep=share)).reasons) == COUNT - int(np.ceil(share * COUNT))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keep": 0.0}, "share to keep is 0"),
        ({"keep": 1.1}, "share to keep"),
        ({"agreement": -1.0}, "weights"),
        ({"agreement": 0.0, "image_text": 0.0, "contrast": 0.0}, "weights"),
        ({"smallest_noun": 1}, "smallest noun is 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        CurationRule(**given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_empty_bank_has_nothing_to_curate(store: PrototypeStore) -> None:
    report = assess(store, CurationRule())
    assert (report.assessed, report.reasons) == (0, {})
    assert apply_curation(store, report) == uncurate(store) == 0
