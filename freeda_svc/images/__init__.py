"""Images and masks from files of any kind: read once, in one way, for segmentation and for exemplars."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

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
    from freeda_svc.images.region_maps import (
        MOST_REGIONS,
        NO_REGION,
        RegionMap,
        RegionsSource,
        load_regions,
        pack_regions,
    )
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
