"""How the K prototypes that a text retrieves are compared with a region (table 5 of the paper)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval, RetrievedPrototypes
from freeda_svc.encoders import TEMPLATES
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation.scoring import Compare, cosine

if TYPE_CHECKING:
    from freeda_svc.encoders import ImageTextModel

VALUES_KEPT = 128_000_000
"""How many values of prototypes are kept from one image to the next, 512 MB: those of 365 texts in the paper's size."""

SIMILARITIES_AT_ONCE = 8_000_000


class TextPrototypes:
    """Class prototypes of texts, to be compared with regions, aggregated as the parameters ask for.

    Mean prototypes come from the cache of ``ClassPrototypes``; for the other two aggregations, the prototypes of the
    last request's texts are cached until the bank changes. Not thread-safe.
    """

    def __init__(self, prototypes: ClassPrototypes, image_text: "ImageTextModel") -> None:
        self._prototypes = prototypes
        self._image_text = image_text
        self._last: tuple[object, Compare] | None = None

    def comparison(self, texts: Sequence[str], parameters: SegmentationParameters, revision: object) -> Compare:
        """Return the function that compares features with texts.

        Args:
            texts: T of them.
            parameters: how many prototypes each retrieves, of which origins, and how they are aggregated.
            revision: of the bank; prototypes cached at another one are fetched again.

        Returns:
            A function of (M, D) features. With p the prototypes of a text, it gives (M, T) float32:
            ``mean_embedding``: cos(r, mean p); ``mean_similarity``: mean cos(r, p); ``max_similarity``: max cos(r, p).

        Raises:
            InputError: the bank is empty or nothing in it is to be retrieved.
            UnavailableError: the engine does not answer.
        """
        retrieval = _retrieval(parameters)
        if parameters.aggregation == "mean_embedding":
            return self._to_means(texts, retrieval)
        key = (tuple(texts), retrieval, parameters.aggregation, revision)
        if self._last is None or self._last[0] != key:
            make = self._to_directions if parameters.aggregation == "mean_similarity" else self._to_all
            self._last = key, make(texts, retrieval)
        return self._last[1]

    def retrieved(self, texts: Sequence[str], parameters: SegmentationParameters) -> Iterator[RetrievedPrototypes]:
        """Yield the prototypes that texts are compared by, text by text, whatever way they are aggregated.

        Args:
            texts: T of them.
            parameters: how many prototypes each retrieves, and of which origins.

        Raises:
            InputError: the bank is empty or nothing in it is to be retrieved.
            NotFoundError: prototypes are removed faster than they can be read.
            UnavailableError: the engine does not answer.
        """
        return self._prototypes.fetch_all(texts, self._embed, _retrieval(parameters), templates=TEMPLATES)

    def nouns(self, texts: Sequence[str], parameters: SegmentationParameters) -> list[tuple[str, ...]]:
        """Return the nouns of the prototypes that texts are compared by, one per prototype, the nearest first.

        Args:
            texts: T of them.
            parameters: how many prototypes each retrieves, and of which origins.

        Raises:
            InputError: the bank is empty or nothing in it is to be retrieved.
            UnavailableError: the engine does not answer.
        """
        return self._prototypes.nouns(texts, self._embed, _retrieval(parameters), templates=TEMPLATES)

    def _embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._image_text.embed_nouns(texts).numpy()

    def _to_means(self, texts: Sequence[str], retrieval: Retrieval) -> Compare:
        means = torch.from_numpy(self._prototypes.fetch(texts, self._embed, retrieval, templates=TEMPLATES))
        return lambda features: cosine(features, means)

    def _directions(self, texts: Sequence[str], retrieval: Retrieval) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the (K, D) normalised prototypes of each text and their (K,) weights, which sum to one."""
        for found in self._prototypes.fetch_all(texts, self._embed, retrieval, templates=TEMPLATES):
            shares = torch.from_numpy(found.weights / found.weights.sum()).to(torch.float32)
            yield functional.normalize(torch.from_numpy(found.vectors), dim=-1), shares

    def _to_directions(self, texts: Sequence[str], retrieval: Retrieval) -> Compare:
        # The mean of cosines is the product with the mean of the normalised prototypes, because it is linear.
        found = [shares @ directions for directions, shares in self._directions(texts, retrieval)]
        means = torch.stack(found)
        return lambda features: functional.normalize(features, dim=-1) @ means.T

    def _to_all(self, texts: Sequence[str], retrieval: Retrieval) -> Compare:
        kept: list[torch.Tensor] = []
        values = 0
        for directions, _ in self._directions(texts, retrieval):
            values += directions.numel()
            if values > VALUES_KEPT:
                kept.clear()
                break
            kept.append(directions)

        def largest(features: torch.Tensor) -> torch.Tensor:
            normalised = functional.normalize(features, dim=-1)
            found = kept or (directions for directions, _ in self._directions(texts, retrieval))
            columns = [_largest(normalised, directions) for directions in found]
            return torch.stack(columns, dim=1)

        return largest


def _retrieval(parameters: SegmentationParameters) -> Retrieval:
    return Retrieval(
        k=parameters.k,
        origins=frozenset(parameters.origins) or None,
        exemplar_weight=max(1.0, parameters.exemplar_share * parameters.k),
    )


def _largest(features: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return the (M,) largest cosine of each of (M, D) features with (K, D) prototypes; both are normalised."""
    at_once = max(1, SIMILARITIES_AT_ONCE // len(directions))
    starts = range(0, max(1, len(features)), at_once)
    return torch.cat([(features[start : start + at_once] @ directions.T).amax(dim=1) for start in starts])
