"""Images and masks from files of any kind: read once, in one way, for segmentation and for exemplars."""

from freeda_svc.images.coco_masks import coco_mask
from freeda_svc.images.files import upright_size
from freeda_svc.images.masks import read_mask
from freeda_svc.images.pixels import ImageSource, load_image, read_image

__all__ = ["ImageSource", "coco_mask", "load_image", "read_image", "read_mask", "upright_size"]
