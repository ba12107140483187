"""Images and masks from files of any kind: read once, in one way, for segmentation and for exemplars."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.images.arrays import each_image
    from freeda_svc.images.coco_masks import coco_mask
    from freeda_svc.images.compression import check_lossless
    from freeda_svc.images.files import check_image_file, opened_image
    from freeda_svc.images.formats import image_endings
    from freeda_svc.images.masks import MaskSource, doubt_about_mask, load_mask, read_mask, voc_colours
    from freeda_svc.images.pixels import (
        PAPER,
        ImageSource,
        LoadedImage,
        check_colour,
        load_image,
        load_visible,
        read_image,
    )

__all__ = [
    "ImageSource",
    "LoadedImage",
    "MaskSource",
    "PAPER",
    "check_colour",
    "check_image_file",
    "check_lossless",
    "coco_mask",
    "doubt_about_mask",
    "each_image",
    "image_endings",
    "load_image",
    "load_mask",
    "load_visible",
    "opened_image",
    "read_image",
    "read_mask",
    "voc_colours",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.images.arrays": ("each_image",),
        "freeda_svc.images.coco_masks": ("coco_mask",),
        "freeda_svc.images.compression": ("check_lossless",),
        "freeda_svc.images.files": ("check_image_file", "opened_image"),
        "freeda_svc.images.formats": ("image_endings",),
        "freeda_svc.images.masks": ("MaskSource", "doubt_about_mask", "load_mask", "read_mask", "voc_colours"),
        "freeda_svc.images.pixels": (
            "ImageSource",
            "LoadedImage",
            "PAPER",
            "check_colour",
            "load_image",
            "load_visible",
            "read_image",
        ),
    },
)
