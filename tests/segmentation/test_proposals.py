from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from freeda_svc.bank import make_or_open_folder
from freeda_svc.errors import InputError
from freeda_svc.packs import Pack
from freeda_svc.parameters import ProposalParameters, SegmentationParameters
from freeda_svc.prototypes.record import Prototype
from freeda_svc.segmentation import Segmenter
from freeda_svc.segmentation.noun_centres import NounCentres
from freeda_svc.segmentation.parts import image_parts
from freeda_svc.segmentation.proposals import group_nouns, propose


def faked(pack: Pack, image_text: SimpleNamespace) -> Pack:
    """A pack with another image-text model."""
    other = Pack(pack.description, pack.computing)
    vars(other).update(backbone=pack.backbone, image_text=image_text)
    return other


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A red part of three quarters and a blue one, in one window."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:, :48] = (220, 30, 30)
    pixels[:, 48:] = (30, 30, 220)
    return pixels


@pytest.fixture(scope="module")
def vectors(pack: Pack, image: np.ndarray) -> np.ndarray:
    """What the red and the blue part look like, (2, Dv)."""
    labels = np.zeros((64, 64), dtype=np.int32)
    labels[:, 48:] = 1
    (parts,) = image_parts(pack, image, pack.parameters.segmentation, labels=labels, count=2)
    return (parts.pixels.T @ parts.features / parts.pixels.sum(dim=0)[:, None]).numpy()


@pytest.fixture
def local_only(pack: Pack) -> SegmentationParameters:
    return pack.parameters.segmentation.replace(beta=1.0)


def centres(vectors: dict[str, np.ndarray], counts: Sequence[int] | None = None) -> NounCentres:
    numbers = np.array([5] * len(vectors) if counts is None else counts, dtype=np.int64)
    return NounCentres(tuple(vectors), numbers, np.stack(list(vectors.values())).astype(np.float32))


def test_regions_propose_the_nouns_that_they_look_like_by_area(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    red, blue = vectors
    bank = centres({"apple": red, "plum": blue, "pear": -red, "quince": -blue}, [7, 3, 9, 9])
    found = propose(pack, bank, image, local_only)
    assert [proposal.noun for proposal in found.proposals] == ["apple", "plum"]
    assert [proposal.area_share for proposal in found.proposals] == pytest.approx([0.75, 0.25], abs=0.02)
    assert [proposal.prototypes for proposal in found.proposals] == [7, 3]
    assert found.nouns == 4
    assert [category.name for category in found.categories] == ["apple", "plum"]


def test_confidence_is_the_mean_softmax_over_the_area_that_was_won(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    red, blue = vectors
    bank = centres({"apple": red, "plum": blue, "pear": -red})
    found = propose(pack, bank, image, local_only, ProposalParameters(temperature=0.1))
    (parts,) = image_parts(pack, image, local_only)
    vectors = torch.from_numpy(bank.vectors)
    scores = torch.sigmoid(torch.nn.functional.cosine_similarity(parts.features[:, None], vectors[None], dim=-1))
    shares = torch.softmax(scores / 0.1, dim=1)
    for proposal in found.proposals:
        index = bank.nouns.index(proposal.noun)
        won = scores.argmax(dim=1) == index
        expected = (shares[won, index] * parts.pixels[won, 0]).sum() / parts.pixels[won, 0].sum()
        assert proposal.confidence == pytest.approx(float(expected), abs=1e-5)


def test_a_noun_that_another_does_as_well_as_is_sure_by_half(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    red, _ = vectors
    bank = centres({"apple": red, "tomato": red})
    apart = ProposalParameters(text_cosine=1.0, visual_cosine=1.0, temperature=1e-3)
    texts = SimpleNamespace(embed_nouns=lambda nouns: torch.eye(len(nouns)))
    fake = faked(pack, texts)
    found = propose(fake, bank, image, local_only, apart)
    assert [proposal.confidence for proposal in found.proposals] == pytest.approx([0.5])


def test_the_image_text_model_ranks_again(pack: Pack, image: np.ndarray, vectors: np.ndarray) -> None:
    red, blue = vectors
    bank = centres({"apple": red, "plum": blue})
    (parts,) = image_parts(pack, image, pack.parameters.segmentation, embed=True)
    assert parts.embedding is not None
    texts = {"apple": -parts.embedding, "plum": parts.embedding}
    of_texts = SimpleNamespace(
        embed_images=pack.image_text.embed_images,
        embed_nouns=lambda nouns: torch.stack([texts[noun] for noun in nouns]),
    )
    fake = faked(pack, of_texts)
    joined = pack.parameters.segmentation.replace(beta=0.3)
    (only,) = propose(fake, bank, image, joined).proposals
    assert only.noun == "plum"
    assert only.global_ == pytest.approx(1.0, abs=1e-5)


def test_what_wins_too_little_goes_to_the_others(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    red, blue = vectors
    bank = centres({"apple": red, "plum": blue})
    (only,) = propose(pack, bank, image, local_only, ProposalParameters(least_area=0.4)).proposals
    assert (only.noun, only.area_share) == ("apple", pytest.approx(1.0))
    (same,) = propose(pack, bank, image, local_only, ProposalParameters(most=1)).proposals
    assert same == only


def test_something_is_proposed_though_nothing_wins_enough(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    bank = centres({"apple": vectors[0], "plum": vectors[1]})
    (only,) = propose(pack, bank, image, local_only, ProposalParameters(least_area=0.99)).proposals
    assert only.noun == "apple"


def test_only_nouns_with_votes_are_looked_at_by_the_image_text_model(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    asked: list[str] = []

    def embed(nouns: Sequence[str]) -> torch.Tensor:
        asked.extend(nouns)
        return pack.image_text.embed_nouns(nouns)

    fake = faked(pack, SimpleNamespace(embed_nouns=embed))
    vectors = {"apple": vectors[0], "plum": vectors[1], "pear": -vectors[0], "quince": -vectors[1]}
    propose(fake, centres(vectors), image, local_only, ProposalParameters(votes=1))
    assert set(asked) == {"apple", "plum"}
    asked.clear()
    propose(fake, centres(vectors), image, local_only, ProposalParameters(shortlist=1))
    assert asked == ["apple"]


def group(
    vectors: Sequence[Sequence[float]], texts: Sequence[Sequence[float]], counts: Sequence[int]
) -> list[list[str]]:
    nouns = [f"noun {number}" for number in range(len(vectors))]
    bank = centres({noun: np.array(vector) for noun, vector in zip(nouns, vectors, strict=True)}, counts)
    table = dict(zip(nouns, torch.tensor(texts, dtype=torch.float32), strict=True))
    fake = SimpleNamespace(
        image_text=SimpleNamespace(embed_nouns=lambda asked: torch.stack([table[noun] for noun in asked]))
    )
    candidates = group_nouns(fake, bank, range(len(nouns)), ProposalParameters())
    order = [noun for members in candidates.groups for noun in members]
    assert np.allclose(candidates.centres.numpy(), bank.vectors[order])
    return [[nouns[index] for index in members] for members in candidates.groups]


def test_near_synonyms_merge_under_the_most_frequent_noun() -> None:
    near = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]
    assert group(near, near, [3, 8, 5]) == [["noun 1", "noun 0"], ["noun 2"]]


@pytest.mark.parametrize("differ", ["texts", "vectors"])
def test_nouns_that_only_look_alike_or_only_mean_alike_stay_apart(differ: str) -> None:
    near, far = [[1.0, 0.0], [1.0, 0.1]], [[1.0, 0.0], [0.0, 1.0]]
    vectors, texts = (near, far) if differ == "texts" else (far, near)
    assert group(vectors, texts, [3, 8]) == [["noun 1"], ["noun 0"]]


def test_a_chain_of_near_synonyms_is_cut_where_it_leaves_the_first() -> None:
    angles = np.deg2rad([0, 20, 40])
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1).tolist()
    assert group(circle, circle, [9, 8, 7]) == [["noun 0", "noun 1"], ["noun 2"]]


def test_the_same_word_in_other_letters_is_one_category(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    red, blue = vectors
    found = propose(pack, centres({"apple": red, "Apple ": blue}, [2, 4]), image, local_only)
    (only,) = found.proposals
    assert (only.noun, only.merged, only.prototypes) == ("Apple ", ("apple",), 6)


def test_pixels_without_regions_vote_too(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    dense = local_only.replace(superpixels=local_only.superpixels.replace(algorithm="none"))
    found = propose(pack, centres({"apple": vectors[0], "plum": vectors[1]}), image, dense)
    assert {proposal.noun for proposal in found.proposals} == {"apple", "plum"}
    assert sum(proposal.area_share for proposal in found.proposals) == pytest.approx(1.0)


def test_nouns_that_cannot_be_categories_are_passed_over(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters
) -> None:
    bank = centres({"x" * 500: vectors[0], "apple": vectors[1]})
    assert [proposal.noun for proposal in propose(pack, bank, image, local_only).proposals] == ["apple"]
    with pytest.raises(InputError, match="name categories"):
        propose(pack, centres({"x" * 500: vectors[0]}), image, local_only)


@pytest.mark.parametrize(
    "wrong",
    [{"least_area": 1.0}, {"most": 0}, {"votes": 0}, {"shortlist": 0}, {"text_cosine": 2}, {"temperature": 0}],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        ProposalParameters(**wrong)


def test_a_segmenter_proposes_from_its_bank_and_sees_it_grow(
    pack: Pack, image: np.ndarray, vectors: np.ndarray, local_only: SegmentationParameters, tmp_path: Path
) -> None:
    def prototype(noun: str, vector: np.ndarray) -> Prototype:
        return Prototype(
            noun=noun,
            caption_id=noun,
            caption=noun,
            spans=(),
            seed=0,
            key=np.ones(pack.image_text.dimension, dtype=np.float32),
            vector=vector,
            mask_area=0.2,
            contrast=0.5,
            image_text_score=0.3,
            pack=pack.fingerprint,
        )

    store = make_or_open_folder(tmp_path, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    segmenter = Segmenter(pack, store, bank="fruit@1")
    with pytest.raises(InputError, match="the bank is empty"):
        segmenter.propose(image, local_only)
    store.add([prototype("apple", vectors[0])])
    first = segmenter.propose(image, local_only)
    assert ([proposal.noun for proposal in first.proposals], first.bank) == (["apple"], "fruit@1")
    store.add([prototype("plum", vectors[1])])
    second = segmenter.propose(image, local_only)
    assert [proposal.noun for proposal in second.proposals] == ["apple", "plum"]
    segmentation = segmenter.segment(image, second.categories, local_only)
    assert (segmentation.labels[:, :40] == 0).mean() > 0.9
    store.close()
