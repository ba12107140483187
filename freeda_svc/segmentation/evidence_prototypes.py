"""The prototypes that agree with a category's regions, and how much each contributes to its score."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.bank import Payload, PrototypeStore
from freeda_svc.bank.class_prototypes import RetrievedPrototypes
from freeda_svc.captions import Span
from freeda_svc.errors import NotFoundError
from freeda_svc.parameters import Aggregation, Category, SegmentationParameters
from freeda_svc.segmentation.aggregation import TextPrototypes

TEXTS_SHOWN = 8
"""Of a category with more texts, such as a background, those that look most like its regions are explained."""

_ATTEMPTS = 3
_SMALLEST_LENGTH = 1e-12

Direction = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PrototypeEvidence:
    """A prototype that was retrieved for a category.

    Attributes:
        id: in the bank.
        text: the text of the category that retrieved it.
        noun: what it was made for; empty where that is not known.
        caption: of the image it was pooled from; empty where that is not known.
        spans: where the noun is mentioned in the caption, first and last character, exclusive.
        origin: ``generated``, ``exemplar`` or ``imported``.
        key_score: cosine of the text's embedding and the prototype's key, by which it was retrieved.
        agreement: mean cosine of the prototype with the category's regions in this image, weighted by area; None
            where the category has no region in the scaled image.
        contribution: its part of the cosine that its text has with the category's regions: those of all prototypes
            of the text sum up to it. None without regions, and where only the largest cosine counts.
        image: path of the image's thumbnail below the artifacts; empty when none was kept.
        mask: path of the mask's thumbnail below the artifacts; empty when none was kept.
    """

    id: str
    text: str
    noun: str
    caption: str
    spans: tuple[Span, ...]
    origin: str
    key_score: float
    agreement: float | None
    contribution: float | None
    image: str
    mask: str


@dataclass(frozen=True)
class TextEvidence:
    """What a text of a category retrieved.

    Attributes:
        text: it is embedded and compared with the keys of the bank.
        retrieved: how many prototypes, K or fewer.
        cosine: mean cosine of what it looks like and the category's regions, weighted by area; where only the largest
            cosine counts, the largest of the prototypes' agreements. None without regions.
        nouns: how many of the prototypes were made for each noun, the most frequent first.
    """

    text: str
    retrieved: int
    cosine: float | None
    nouns: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class _Compared:
    """What a text retrieved, and how it fits the regions: (K,) float64 each, in the order of the prototypes."""

    text: str
    found: RetrievedPrototypes
    agreements: npt.NDArray[np.float64]
    contributions: npt.NDArray[np.float64]
    cosine: float


def explain_category(
    store: PrototypeStore,
    text_prototypes: TextPrototypes,
    category: Category,
    direction: Direction | None,
    *,
    parameters: SegmentationParameters,
    shown: int,
) -> tuple[tuple[TextEvidence, ...], tuple[PrototypeEvidence, ...]]:
    """Collect the evidence for a category.

    Args:
        store: the bank.
        text_prototypes: of that bank.
        category: present in the image.
        direction: (Dv,) float32, the mean of the normalised features of its regions; None without any.
        parameters: that the image was segmented with.
        shown: how many prototypes are named.

    Returns:
        Its texts, those that look most like its regions first; and the prototypes that agree most with its regions,
        those of exemplars first as far as they count more. Without regions they stand in the order of retrieval.

    Raises:
        NotFoundError: prototypes are removed faster than they can be read.
        UnavailableError: the bank does not answer.
    """
    against = np.zeros(store.vector_dimension, dtype=np.float32) if direction is None else direction
    for attempt in range(_ATTEMPTS):
        retrieved = text_prototypes.retrieved(category.retrieval_texts, parameters)
        compared = [
            compare_prototypes(text, found, against, parameters.aggregation)
            for text, found in zip(category.retrieval_texts, retrieved, strict=True)
        ]
        compared = sorted(compared, key=lambda text: -text.cosine)[:TEXTS_SHOWN]
        try:
            payloads = [store.payloads(text.found.ids) for text in compared]
        except NotFoundError:  # removed since they were retrieved
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    texts = tuple(
        TextEvidence(text.text, len(kept), None if direction is None else text.cosine, _count_nouns(kept))
        for text, kept in zip(compared, payloads, strict=True)
    )
    additive = direction is not None and parameters.aggregation != "max_similarity"
    return texts, _foremost(compared, payloads, shown, known=direction is not None, additive=additive)


def compare_prototypes(
    text: str, found: RetrievedPrototypes, direction: Direction, aggregation: Aggregation
) -> _Compared:
    """Take the mean cosine of a text and regions apart into what each of its prototypes contributes.

    With p_i the prototypes, w_i their weights, which sum to one, and d the mean of the regions' normalised features:
    the mean of cos(r, sum w_i p_i) over the regions is the sum of w_i (p_i . d) / |sum w_i p_i|, and that of
    sum w_i cos(r, p_i) is the sum of w_i (p_i . d) / |p_i|.
    """
    vectors = found.vectors.astype(np.float64)
    products = vectors @ direction.astype(np.float64)
    agreements = products / np.maximum(np.linalg.norm(vectors, axis=1), _SMALLEST_LENGTH)
    shares = found.weights / found.weights.sum()
    if aggregation == "mean_embedding":
        contributions = shares * products / max(float(np.linalg.norm(shares @ vectors)), _SMALLEST_LENGTH)
    else:
        contributions = shares * agreements
    cosine = agreements.max() if aggregation == "max_similarity" else contributions.sum()
    return _Compared(text, found, agreements, contributions, float(cosine))


def _count_nouns(payloads: Sequence[Payload]) -> dict[str, int]:
    counts = Counter(str(payload["noun"]) for payload in payloads)
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _foremost(
    compared: Sequence[_Compared], payloads: Sequence[Sequence[Payload]], shown: int, *, known: bool, additive: bool
) -> tuple[PrototypeEvidence, ...]:
    """Return the prototypes that contribute most, each once even where several texts retrieved it."""
    ranked: dict[str, tuple[float, PrototypeEvidence]] = {}
    for text, kept in zip(compared, payloads, strict=True):
        # Norms and lengths make contributions differ from text to text, so they are ranked by weight times cosine.
        rank = text.found.weights * text.agreements if additive else text.agreements if known else text.found.scores
        for place in np.argsort(-rank, kind="stable")[:shown].tolist():
            identifier = text.found.ids[place]
            if identifier in ranked and ranked[identifier][0] >= rank[place]:
                continue
            payload = kept[place]
            ranked[identifier] = (
                float(rank[place]),
                PrototypeEvidence(
                    id=identifier,
                    text=text.text,
                    noun=payload["noun"],
                    caption=payload["caption"],
                    spans=tuple((int(start), int(end)) for start, end in payload["spans"]),
                    origin=payload.get("origin", ""),
                    key_score=float(text.found.scores[place]),
                    agreement=float(text.agreements[place]) if known else None,
                    contribution=float(text.contributions[place]) if additive else None,
                    image=payload.get("image", ""),
                    mask=payload.get("mask", ""),
                ),
            )
    ordered = sorted(ranked.values(), key=lambda entry: (-entry[0], entry[1].id))
    return tuple(prototype for _, prototype in ordered[:shown])
