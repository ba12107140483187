"""The similarity of regions and categories, eq. 5."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from freeda_svc.parameters import LocalSimilarity, SynonymWay

Compare = Callable[[torch.Tensor], torch.Tensor]
"""Returns the (M, T) cosines of (M, D) features with the prototypes of each of T texts."""
Support = Callable[[torch.Tensor], torch.Tensor]
"""Returns the (M, T) cosines of T texts with what the prototypes nearest to (M, D) features look like; see votes.py."""


def cosine(features: torch.Tensor, prototypes: torch.Tensor) -> torch.Tensor:
    """Return the (R, N) cosines of (R, D) features and (N, D) prototypes; zero vectors have cosine 0."""
    return functional.normalize(features, dim=-1) @ functional.normalize(prototypes, dim=-1).T


def ensemble(local: torch.Tensor, global_similarity: torch.Tensor, beta: float) -> torch.Tensor:
    """Join local and global similarity: beta sigmoid(l) + (1 - beta) g.

    The sigmoid is the released code's; eq. 5 of the paper has none.

    Args:
        local: (R, N) cosines of regions and class prototypes.
        global_similarity: (N,) cosines of the window's and the categories' embeddings.
        beta: weight of the local similarity, 0 to 1.

    Returns:
        (R, N) scores.
    """
    return Ensemble(beta).join(local, global_similarity).scores


@dataclass(frozen=True, eq=False)
class Similarities:
    """How well M regions or cells fit N categories: scores = (1 - w) (beta local + (1 - beta) global) + w support.

    Attributes:
        scores: (M, N) float32, s of eq. 5, with the appearance where it has a weight.
        local: (M, N) float32, l of eq. 5 as it enters there, so after the sigmoid where there is one.
        global_similarity: (N,) float32, g of eq. 5; (M, N) where a category's best text is another for each region.
        support: (M, N) float32, cosines of the categories' texts and the appearance; None where it has no weight.
    """

    scores: torch.Tensor
    local: torch.Tensor
    global_similarity: torch.Tensor
    support: torch.Tensor | None = None


@dataclass(frozen=True)
class Ensemble:
    """How the similarities of texts become the scores of categories.

    Attributes:
        beta: weight of the local similarity, 0 to 1.
        local_similarity: what enters eq. 5: the ``sigmoid`` of the cosine (the released code), or the ``cosine``.
        texts: how many texts each of the categories has; one each when empty.
        synonyms: the score of a category with several texts is the ``best`` of theirs or their ``mean``.
        appearance_weight: w, the weight of the support beside the score of eq. 5, 0 to 1.
    """

    beta: float
    local_similarity: LocalSimilarity = "sigmoid"
    texts: tuple[int, ...] = ()
    synonyms: SynonymWay = "best"
    appearance_weight: float = 0.0

    def join(
        self, cosines: torch.Tensor, global_similarity: torch.Tensor, support: torch.Tensor | None = None
    ) -> Similarities:
        """Join the similarities of T texts to the scores of N categories: eq. 5, then (1 - w) eq. 5 + w support.

        The support joins the score of each text, so that the best of a category's texts is that with the best score
        of all three parts.

        Args:
            cosines: (M, T) local cosines; the texts of one category follow each other.
            global_similarity: (T,) global cosines.
            support: (M, T) cosines with the appearance; None where w is 0.
        """
        local = torch.sigmoid(cosines) if self.local_similarity == "sigmoid" else cosines
        scores = self.beta * local + (1 - self.beta) * global_similarity
        if support is not None:
            scores = (1 - self.appearance_weight) * scores + self.appearance_weight * support
        joined = Similarities(scores, local, global_similarity, support)
        if all(count == 1 for count in self.texts):
            return joined
        return _best_texts(joined, self.texts) if self.synonyms == "best" else _mean_texts(joined, self.texts)


def _mean_texts(of_texts: Similarities, counts: Sequence[int]) -> Similarities:
    """Scores are linear, so that their mean has the means of the similarities as its parts."""
    columns = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)).to(of_texts.scores.device)
    shares = 1 / torch.tensor(counts, dtype=torch.float32, device=of_texts.scores.device)

    def mean(values: torch.Tensor) -> torch.Tensor:
        sums = values.new_zeros(*values.shape[:-1], len(counts))
        return sums.index_add_(-1, columns, values) * shares

    return Similarities(
        mean(of_texts.scores),
        mean(of_texts.local),
        mean(of_texts.global_similarity),
        None if of_texts.support is None else mean(of_texts.support),
    )


def _best_texts(of_texts: Similarities, counts: Sequence[int]) -> Similarities:
    """Take the text with the best score for each region and category."""
    ends = torch.tensor(counts).cumsum(dim=0)
    chosen = (ends - torch.tensor(counts)).to(of_texts.scores.device).expand(len(of_texts.scores), -1).clone()
    for category, count in enumerate(counts):
        if count > 1:
            end = int(ends[category])
            chosen[:, category] = of_texts.scores[:, end - count : end].argmax(dim=1) + end - count
    return Similarities(
        of_texts.scores.gather(1, chosen),
        of_texts.local.gather(1, chosen),
        of_texts.global_similarity[chosen],
        None if of_texts.support is None else of_texts.support.gather(1, chosen),
    )
