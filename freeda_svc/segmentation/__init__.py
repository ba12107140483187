"""Segment an image into categories given as text, with the prototypes of a bank.

Names are imported at their first use: checking categories and parameters needs no model library.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.images import ImageSource, load_image, read_image
    from freeda_svc.parameters import Category, background_category, check_categories, parse_categories, parse_category
    from freeda_svc.segmentation.category_lists import common_list
    from freeda_svc.segmentation.encoding import encode_windows, windows_at_once
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
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
