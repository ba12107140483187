"""Segment an image into categories given as text, with the prototypes of a bank.

Names are imported when they are first asked for: categories and parameters are checked where no model is needed.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.images import ImageSource, load_image, read_image
    from freeda_svc.parameters import (
        Category,
        background_category,
        check_categories,
        parse_categories,
        parse_category,
    )
    from freeda_svc.segmentation.evidence import CategoryParts, Evidence, EvidenceLimits
    from freeda_svc.segmentation.evidence_plain import evidence_values, proposal_values
    from freeda_svc.segmentation.predictor import Segmenter
    from freeda_svc.segmentation.proposals import Proposal, ProposalParameters, Proposals
    from freeda_svc.segmentation.result import UNKNOWN, CategoryScore, Segmentation
    from freeda_svc.segmentation.window_scores import WindowScores, score_window

__all__ = [
    "Category",
    "CategoryParts",
    "CategoryScore",
    "Evidence",
    "EvidenceLimits",
    "ImageSource",
    "Proposal",
    "ProposalParameters",
    "Proposals",
    "Segmentation",
    "Segmenter",
    "UNKNOWN",
    "WindowScores",
    "background_category",
    "check_categories",
    "evidence_values",
    "load_image",
    "parse_categories",
    "parse_category",
    "proposal_values",
    "read_image",
    "score_window",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.images": ("ImageSource", "load_image", "read_image"),
        "freeda_svc.parameters": (
            "Category",
            "background_category",
            "check_categories",
            "parse_categories",
            "parse_category",
        ),
        "freeda_svc.segmentation.evidence": ("CategoryParts", "Evidence", "EvidenceLimits"),
        "freeda_svc.segmentation.evidence_plain": ("evidence_values", "proposal_values"),
        "freeda_svc.segmentation.predictor": ("Segmenter",),
        "freeda_svc.segmentation.proposals": ("Proposal", "ProposalParameters", "Proposals"),
        "freeda_svc.segmentation.result": ("UNKNOWN", "CategoryScore", "Segmentation"),
        "freeda_svc.segmentation.window_scores": ("WindowScores", "score_window"),
    },
)
