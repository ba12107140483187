"""Votes by appearance: what the prototypes say that look like a region, whatever words they were made for.

Eq. 4 asks the bank what a word looks like. This asks the other way round (reverse retrieval, CorrCLIPv2): with p_1 to
p_K' the prototypes nearest to the feature f_r of a region, a_i their appearances (`Prototype.appearance`), t_c the
text embedding of category c, and n(x) = x / |x|,

    u_r = n(mean a_i),    support(r, c) = u_r . n(t_c),    score = (1 - w) (eq. 5) + w support

where w is ``appearance_weight`` and K' ``appearance_k``. It needs no prototype of the category, so it can help with
words that no caption of the bank has.
"""

import torch

from freeda_svc.bank import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation.scoring import Support, cosine


def appearance_support(
    store: PrototypeStore, texts: torch.Tensor, parameters: SegmentationParameters
) -> Support | None:
    """Return the function that compares the appearance of features with texts.

    It joins the score of each text (``Ensemble.join``), so it takes part wherever scores do: with synonyms, a category
    takes the best or the mean of its texts' joined scores; a background is a category like any other; the way
    ``channel`` of unknown pixels compares its threshold with joined scores, whose range differs from that of eq. 5,
    while ``local_before`` and ``local_after`` still compare the local similarity alone (``local_after`` that of the
    category with the best joined score). ``origins`` holds for these prototypes, too; ``exemplar_share`` does not.

    Args:
        store: the bank.
        texts: (T, Dt) embeddings of the categories' texts.
        parameters: w, K' and origins.

    Returns:
        A function of (M, Dv) features that gives (M, T) float32 cosines, zero where a feature is zero, as that of a
        region without weight on the feature grid; None where w is 0: then nothing is searched and nothing changes.

    Raises:
        InputError: no prototype of these origins has an appearance.
        UnavailableError: the engine does not answer.
    """
    if parameters.appearance_weight == 0:
        return None
    origins = frozenset(parameters.origins) or None
    if not store.count_appearances(origins):
        raise _no_appearance(store, parameters)

    def support(features: torch.Tensor) -> torch.Tensor:
        appearances = texts.new_zeros(len(features), texts.shape[1])
        directed = features.any(dim=1)
        if bool(directed.any()):
            found = store.mean_appearances(features[directed].numpy(), parameters.appearance_k, origins=origins)
            appearances[directed] = torch.from_numpy(found)
        return cosine(appearances, texts)

    return support


def _no_appearance(store: PrototypeStore, parameters: SegmentationParameters) -> InputError:
    which = f" of origin {' or '.join(sorted(parameters.origins))}" if parameters.origins else ""
    return InputError(
        f"none of the {store.count():,} prototypes of the bank{which} has an appearance, which appearance_weight "
        f"{parameters.appearance_weight:g} asks for: set it to 0, or ingest the captions into a new bank"
    )
