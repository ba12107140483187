"""Datasets as they lie in folders when they are unpacked: one module a family of datasets."""

from freeda_svc.evaluation.layouts.ade import list_ade
from freeda_svc.evaluation.layouts.cityscapes import list_cityscapes
from freeda_svc.evaluation.layouts.coco import list_coco_object, list_coco_stuff
from freeda_svc.evaluation.layouts.folders import list_folders
from freeda_svc.evaluation.layouts.found import Found
from freeda_svc.evaluation.layouts.pascal import list_context, list_voc

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
