"""Regions of a person's own on their way to a server: one file for each image."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from freeda_svc.batches import regions_file
from freeda_svc.client.uploads import Upload
from freeda_svc.errors import InputError
from freeda_svc.images import load_regions, pack_regions
from freeda_svc.library.arguments import RegionsLike, described, is_region_way, read_image, to_path
from freeda_svc.parameters import OverlapWay, SegmentationOverrides

RegionsOfUploads = RegionsLike | Iterable[RegionsLike] | None


def read_region_uploads(
    regions: RegionsOfUploads, uploads: Sequence[Upload], *, single: bool, parameters: Mapping[str, Any]
) -> dict[int, Upload]:
    """Return what a person passed as regions, as files by the ``id`` of the image that each belongs to.

    Files are sent as they are; arrays and lists of masks become a label map, for which the image is read.

    Args:
        regions: of one image, a list with an entry for each, or a folder; nothing where a word names a way.
        uploads: the images.
        single: whether one image was passed, and not a list or a folder.
        parameters: of the request; what becomes of masks that overlap is one of them.

    Raises:
        InputError: they are no regions, do not fit, or there are not as many as images.
    """
    if regions is None or is_region_way(regions):
        return {}
    overlaps: OverlapWay = SegmentationOverrides.read(parameters).region_overlaps or "refuse"
    if isinstance(regions, str | os.PathLike) and to_path(regions).is_dir():
        folder = to_path(regions)
        return {id(upload): _of_file(regions_file(folder, upload.name)) for upload in uploads}
    if single:
        return {id(uploads[0]): _of_one(regions, uploads[0], overlaps)}  # type: ignore[arg-type]  # refused there
    if isinstance(regions, str | bytes | os.PathLike | Mapping) or not isinstance(regions, Iterable):
        raise InputError(
            f"regions of several images are a folder or a list with an entry for each, not {described(regions)}"
        )
    entries = list(regions)
    if len(entries) != len(uploads):
        raise InputError(f"there are {len(uploads)} images and regions of {len(entries)}; give regions for each image")
    return {id(upload): _of_one(entry, upload, overlaps) for upload, entry in zip(uploads, entries, strict=True)}


def _of_one(regions: RegionsLike, image: Upload, overlaps: OverlapWay) -> Upload:
    if isinstance(regions, str | os.PathLike):
        return _of_file(to_path(regions))
    if isinstance(regions, bytes | bytearray | memoryview):
        return Upload("regions", bytes(regions))
    pixels = read_image(image.content).pixels
    size = pixels.shape[0], pixels.shape[1]
    what = f"the regions of {image.name}"
    return Upload("regions.png", pack_regions(load_regions(regions, size, overlaps=overlaps, what=what)))


def _of_file(path: Path) -> Upload:
    if not path.is_file():
        raise InputError(f"no such file of regions: {path}")
    return Upload(path.name, path)
