"""The similarity of regions and categories, eq. 5."""

import torch
from torch.nn import functional


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
    return beta * torch.sigmoid(local) + (1 - beta) * global_similarity
