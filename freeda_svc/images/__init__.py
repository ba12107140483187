"""Images and masks from files of any kind: read once, in one way, for segmentation and for exemplars."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.images.arrays import each_image
    from freeda_svc.images.coco_masks import MOST_COCO_PIXELS, coco_mask, stray_polygons, whole_number
    from freeda_svc.images.compression import check_lossless
    from freeda_svc.images.files import check_image_file, opened_image, turn_upright
    from freeda_svc.images.formats import HEIF_ENDINGS, HEIF_HINT, image_endings
    from freeda_svc.images.masks import MaskSource, doubt_about_mask, load_mask, read_mask, voc_colours
    from freeda_svc.images.orientation import DrawnOn, is_drawn_on_stored, is_upright, read_frame
    from freeda_svc.images.pixels import (
        PAPER,
        ImageSource,
        LoadedImage,
        load_image,
        load_visible,
        read_image,
    )

__all__ = [
    "DrawnOn",
    "HEIF_ENDINGS",
    "HEIF_HINT",
    "ImageSource",
    "LoadedImage",
    "MOST_COCO_PIXELS",
    "MaskSource",
    "PAPER",
    "check_image_file",
    "check_lossless",
    "coco_mask",
    "doubt_about_mask",
    "each_image",
    "image_endings",
    "is_drawn_on_stored",
    "is_upright",
    "load_image",
    "load_mask",
    "load_visible",
    "opened_image",
    "read_frame",
    "read_image",
    "read_mask",
    "stray_polygons",
    "turn_upright",
    "voc_colours",
    "whole_number",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.images.arrays": ("each_image",),
        "freeda_svc.images.coco_masks": ("MOST_COCO_PIXELS", "coco_mask", "stray_polygons", "whole_number"),
        "freeda_svc.images.compression": ("check_lossless",),
        "freeda_svc.images.files": ("check_image_file", "opened_image", "turn_upright"),
        "freeda_svc.images.formats": ("HEIF_ENDINGS", "HEIF_HINT", "image_endings"),
        "freeda_svc.images.masks": ("MaskSource", "doubt_about_mask", "load_mask", "read_mask", "voc_colours"),
        "freeda_svc.images.orientation": ("DrawnOn", "is_drawn_on_stored", "is_upright", "read_frame"),
        "freeda_svc.images.pixels": (
            "ImageSource",
            "LoadedImage",
            "PAPER",
            "load_image",
            "load_visible",
            "read_image",
        ),
    },
)
