"""Textual keys, eq. 3."""

import torch

from freeda_svc.errors import InputError


def make_keys(noun_embeddings: torch.Tensor, caption_embedding: torch.Tensor, alpha: float) -> torch.Tensor:
    """Interpolate between the embeddings of a caption's nouns and of the whole caption.

    Args:
        noun_embeddings: (N, Dt) float32, unit length, t-hat(w) for each noun.
        caption_embedding: (Dt,) float32, unit length, c-hat.
        alpha: share of the noun embedding, 0 to 1.

    Returns:
        (N, Dt) float32, k(c, w) for each noun, not normalised.

    Raises:
        InputError: the shapes do not fit together.
    """
    if noun_embeddings.ndim != caption_embedding.ndim + 1 or noun_embeddings.shape[1:] != caption_embedding.shape:
        raise InputError(
            f"noun embeddings of shape (N, Dt) and a caption embedding of shape (Dt,) were expected, "
            f"not {tuple(noun_embeddings.shape)} and {tuple(caption_embedding.shape)}"
        )
    return alpha * noun_embeddings + (1.0 - alpha) * caption_embedding
