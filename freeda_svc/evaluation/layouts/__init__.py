"""Datasets as they lie in folders when they are unpacked."""

from freeda_svc.evaluation.layouts.found import Found, list_folders
from freeda_svc.evaluation.layouts.published import (
    list_ade,
    list_cityscapes,
    list_coco_object,
    list_coco_stuff,
    list_context,
    list_voc,
)

__all__ = [
    "Found",
    "list_ade",
    "list_cityscapes",
    "list_coco_object",
    "list_coco_stuff",
    "list_context",
    "list_folders",
    "list_voc",
]
