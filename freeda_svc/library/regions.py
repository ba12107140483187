"""Which regions belong to which of several images."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from freeda_svc.batches import InputImage, pair_regions, regions_file
from freeda_svc.errors import InputError
from freeda_svc.library.arguments import ImageLike, RegionsLike, described, is_path, to_path

RegionsOfMany = str | os.PathLike[str] | Iterable[RegionsLike | None]

_NOTHING = object()


def pair_in_memory(
    images: object, each: Iterator[ImageLike], regions: RegionsOfMany | None
) -> Iterator[tuple[ImageLike, RegionsLike | None]]:
    """Return images with their regions, which are read when their turn comes.

    Args:
        images: those that ``each`` iterates over.
        each: the images.
        regions: as ``Segmenter.segment_many`` takes them.

    Raises:
        InputError: at once where both are lists of different lengths or regions are something else; else when one of
            them ends before the other, or a file of regions is missing.
    """
    if regions is None:
        return ((image, None) for image in each)
    if isinstance(regions, str | os.PathLike):
        folder = _folder(regions)
        return ((image, regions_file(folder, _name(image))) for image in each)
    chosen = _several(regions)
    if isinstance(images, list | tuple) and isinstance(chosen, list | tuple):
        _check_count(len(images), len(chosen))
    return _together(each, chosen)


def pair_files(images: Sequence[InputImage], regions: RegionsOfMany | None) -> list[InputImage]:
    """Return image files with their files of regions.

    Raises:
        InputError: a file is missing, there are more or fewer than images, or regions are given that are no paths.
    """
    if regions is None:
        return list(images)
    if isinstance(regions, str | os.PathLike):
        return pair_regions(images, _folder(regions))
    chosen = list(_several(regions))
    _check_count(len(images), len(chosen))
    for entry in chosen:
        if entry is not None and not is_path(entry):
            raise InputError(f"regions of images whose files are written are given by paths, not {described(entry)}")
    return [
        replace(image, regions=to_path(entry) if isinstance(entry, str | os.PathLike) else None)
        for image, entry in zip(images, chosen, strict=True)
    ]


def _folder(value: "str | os.PathLike[str]") -> Path:
    folder = to_path(value)
    if not folder.is_dir():
        raise InputError(f"regions of several images are a folder or a list with an entry for each, not {folder}")
    return folder


def _name(image: ImageLike) -> str:
    if not isinstance(image, str | os.PathLike):
        raise InputError(f"with a folder of regions, images are given by paths, not {described(image)}")
    return to_path(image).name


def _several(regions: Iterable[RegionsLike | None]) -> Iterable[RegionsLike | None]:
    if isinstance(regions, bytes | dict) or not isinstance(regions, Iterable):
        raise InputError(f"regions of several images are a list with an entry for each, not {described(regions)}")
    return regions


def _check_count(images: int, regions: int) -> None:
    if images != regions:
        raise InputError(
            f"there are {images} images and regions of {regions}; give one entry for each image, None where it has none"
        )


def _together(
    images: Iterator[ImageLike], regions: Iterable[RegionsLike | None]
) -> Iterator[tuple[ImageLike, RegionsLike | None]]:
    for number, (image, own) in enumerate(zip_longest(images, regions, fillvalue=_NOTHING)):
        if image is _NOTHING or own is _NOTHING:
            fewer = "images" if image is _NOTHING else "regions"
            raise InputError(f"there are only {number} {fewer}; give regions for each image, None where it has none")
        yield image, own  # type: ignore[misc]  # neither is the fill value
