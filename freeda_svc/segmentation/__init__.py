"""Segment an image into categories given as text, with the prototypes of a bank.

Names are imported when they are first asked for: categories and parameters are checked where no model is needed.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.images import ImageSource, load_image, read_image
    from freeda_svc.parameters import Category, background_category, check_categories, parse_categories, parse_category
    from freeda_svc.segmentation.category_lists import common_list
    from freeda_svc.segmentation.encoding import encode_windows
    from freeda_svc.segmentation.evidence import CategoryParts, Evidence, EvidenceLimits
    from freeda_svc.segmentation.evidence_plain import evidence_values, proposal_values
    from freeda_svc.segmentation.known_words import KnownWord
    from freeda_svc.segmentation.merging import Merged, merge_windows, score_map
    from freeda_svc.segmentation.predictor import Segmenter
    from freeda_svc.segmentation.proposals import Proposal, Proposals
    from freeda_svc.segmentation.result import UNKNOWN, CategoryScore, Segmentation
    from freeda_svc.segmentation.superpixels import cut_superpixels, prepare_superpixels
    from freeda_svc.segmentation.window_scores import WindowScores, score_window
    from freeda_svc.segmentation.windows import Window, cut_windows, resize_image, scaled_size

__all__ = [
    "Category",
    "CategoryParts",
    "CategoryScore",
    "Evidence",
    "EvidenceLimits",
    "ImageSource",
    "KnownWord",
    "Merged",
    "Proposal",
    "Proposals",
    "Segmentation",
    "Segmenter",
    "UNKNOWN",
    "Window",
    "WindowScores",
    "background_category",
    "check_categories",
    "common_list",
    "cut_superpixels",
    "cut_windows",
    "encode_windows",
    "evidence_values",
    "load_image",
    "merge_windows",
    "parse_categories",
    "parse_category",
    "prepare_superpixels",
    "proposal_values",
    "read_image",
    "resize_image",
    "scaled_size",
    "score_map",
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
        "freeda_svc.segmentation.category_lists": ("common_list",),
        "freeda_svc.segmentation.encoding": ("encode_windows",),
        "freeda_svc.segmentation.evidence": ("CategoryParts", "Evidence", "EvidenceLimits"),
        "freeda_svc.segmentation.evidence_plain": ("evidence_values", "proposal_values"),
        "freeda_svc.segmentation.known_words": ("KnownWord",),
        "freeda_svc.segmentation.merging": ("Merged", "merge_windows", "score_map"),
        "freeda_svc.segmentation.predictor": ("Segmenter",),
        "freeda_svc.segmentation.proposals": ("Proposal", "Proposals"),
        "freeda_svc.segmentation.result": ("CategoryScore", "Segmentation", "UNKNOWN"),
        "freeda_svc.segmentation.superpixels": ("cut_superpixels", "prepare_superpixels"),
        "freeda_svc.segmentation.window_scores": ("WindowScores", "score_window"),
        "freeda_svc.segmentation.windows": ("Window", "cut_windows", "resize_image", "scaled_size"),
    },
)
