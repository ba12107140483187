import numpy as np
import pytest

from benchmarks.synthetic_bank.keys import BATCH, DECAYING, ISOTROPIC, Shape, SyntheticKeys, make_prototypes
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.points import distinct_points

BOTH = pytest.mark.parametrize("spectrum", [ISOTROPIC, DECAYING])


def made(spectrum: str = ISOTROPIC, *, keys: int = 2 * BATCH, nouns: int = 200, dimension: int = 768) -> SyntheticKeys:
    return SyntheticKeys(Shape(keys=keys, nouns=nouns, dimension=dimension, spectrum=spectrum))


@BOTH
def test_two_nouns_have_a_cosine_of_seven_tenths_in_the_mean(spectrum: str) -> None:
    embeddings = made(spectrum).embeddings

    cosines = (embeddings @ embeddings.T)[~np.eye(len(embeddings), dtype=bool)]

    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)
    assert cosines.mean() == pytest.approx(0.7, abs=0.005)


@BOTH
def test_the_keys_of_a_noun_lie_close_to_their_centre_but_not_at_one_place(spectrum: str) -> None:
    batches = list(made(spectrum).batches())
    keys = unit_rows(np.concatenate([batch.keys for batch in batches]))
    nouns = np.concatenate([batch.nouns for batch in batches])

    for noun in range(20):
        own = keys[nouns == noun]
        centre = unit_rows(own.mean(axis=0, keepdims=True))[0]
        assert (own @ centre).min() > 0.9965
        assert (own @ centre).max() < 0.999


def test_captions_have_a_cosine_of_three_to_seven_tenths_with_their_noun() -> None:
    synthetic = made()
    batch = next(synthetic.batches())
    nouns = synthetic.embeddings[batch.nouns]

    captions = (batch.keys - 0.9 * nouns) / 0.1  # eq. 3 with alpha 0.9
    cosines = np.sum(captions * nouns, axis=1)

    np.testing.assert_allclose(np.linalg.norm(captions, axis=1), 1, atol=1e-4)
    assert cosines.min() > 0.299
    assert cosines.max() < 0.701
    assert cosines.mean() == pytest.approx(0.5, abs=0.01)


def test_a_decaying_spectrum_spreads_over_far_fewer_directions() -> None:
    def width(synthetic: SyntheticKeys) -> float:
        variances = np.linalg.eigvalsh(np.cov(synthetic.embeddings.T))
        return float(variances.sum() ** 2 / (variances**2).sum())

    assert width(made(ISOTROPIC, nouns=2000)) > 500
    assert width(made(DECAYING, nouns=2000)) < 100


def test_frequencies_follow_zipfs_law() -> None:
    synthetic = made(keys=20 * BATCH, dimension=4)

    counts = synthetic.counts()

    assert counts.sum() == synthetic.shape.keys
    ranks = np.arange(1, len(counts) + 1)
    assert counts[:20] * ranks[:20] == pytest.approx(np.full(20, counts[0]), rel=0.1)


def test_counts_are_those_of_the_batches() -> None:
    synthetic = made(dimension=4)

    nouns = np.concatenate([batch.nouns for batch in synthetic.batches()])

    np.testing.assert_array_equal(synthetic.counts(), np.bincount(nouns, minlength=200))


def test_a_batch_is_the_same_without_those_before_it() -> None:
    synthetic = made(dimension=4)

    _, second = synthetic.batches()
    (alone,) = SyntheticKeys(synthetic.shape).batches(1)

    assert alone.first == BATCH
    for name in ("nouns", "keys", "prototypes"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(second, name))


def test_another_seed_gives_other_keys() -> None:
    one, other = (next(SyntheticKeys(Shape(keys=BATCH, nouns=10, dimension=4, seed=seed)).batches()) for seed in (0, 1))

    assert not np.isclose(one.keys, other.keys).any(axis=1).all()


def test_unknown_nouns_are_like_the_others_and_none_of_them() -> None:
    synthetic = made()

    cosines = synthetic.unknown(50) @ synthetic.embeddings.T

    assert cosines.mean() == pytest.approx(0.7, abs=0.005)
    assert cosines.max() < 0.8


def test_prototypes_are_what_float16_holds_and_their_captions_mention_their_nouns() -> None:
    batch = next(made(dimension=4).batches())

    prototypes = make_prototypes(batch)

    assert len(distinct_points(prototypes)) == BATCH
    for number in (0, BATCH - 1):
        prototype = prototypes[number]
        ((start, end),) = prototype.spans
        assert prototype.caption[start:end] == prototype.noun
        np.testing.assert_array_equal(prototype.key, batch.keys[number])
        np.testing.assert_array_equal(prototype.vector.astype(np.float16).astype(np.float32), prototype.vector)


def test_keys_come_in_whole_batches() -> None:
    with pytest.raises(ValueError, match="expected a multiple of 5000"):
        Shape(keys=BATCH + 1)
