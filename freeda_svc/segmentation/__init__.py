"""Segment an image into categories given as text, with the prototypes of a bank."""

import freeda_svc.torchvision_operators  # noqa: F401
from freeda_svc.images import ImageSource, load_image, read_image
from freeda_svc.segmentation.categories import Category, check_categories, parse_categories
from freeda_svc.segmentation.predictor import Segmenter
from freeda_svc.segmentation.result import CategoryScore, Segmentation
from freeda_svc.segmentation.window_scores import WindowScores, score_window

__all__ = [
    "Category",
    "CategoryScore",
    "ImageSource",
    "Segmentation",
    "Segmenter",
    "WindowScores",
    "check_categories",
    "load_image",
    "parse_categories",
    "read_image",
    "score_window",
]
