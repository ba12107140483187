"""Files of regions that belong to image files: they lie in a folder under the same relative names."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from freeda_svc.batches.manifest import digest_of_file, digest_of_parts
from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules
from freeda_svc.outputs import InputImage
from freeda_svc.parameters import OverlapWay

ENDINGS = (".png", ".json", ".tif", ".tiff", ".bmp")
"""Of files of regions, in lower case."""


def regions_file(folder: Path, name: str) -> Path:
    """Return the file with the regions of an image.

    Args:
        folder: of the files of regions.
        name: of the image, perhaps with folders; ``a/cat.jpg`` has its regions in ``a/cat.png`` or ``a/cat.jpg.png``,
            or a file with another of ``ENDINGS``.

    Raises:
        InputError: there is none, or more than one.
    """
    image = PurePath(name)
    found = [
        folder / stem
        for ending in ENDINGS
        for stem in dict.fromkeys((image.with_suffix(ending), image.with_name(f"{image.name}{ending}")))
        if (folder / stem).is_file()
    ]
    if not found:
        raise InputError(f"{name} has no regions in {folder}: expected {image.with_suffix('.png')} or .json there")
    if len(found) > 1:
        names = " and ".join(str(path.relative_to(folder)) for path in found[:2])
        raise InputError(f"{name} has more than one file of regions in {folder}: {names}; leave one there")
    return found[0]


def pair_regions(images: Sequence[InputImage], folder: Path) -> list[InputImage]:
    """Return images with their files of regions.

    Args:
        images: whose names are looked for.
        folder: of the files of regions.

    Raises:
        InputError: there is no such folder, or an image has no regions there, or more than one file; the message names
            the first and says how many more there are.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder of regions {folder}; name one with a file for each image")
    paired, problems = [], []
    for image in images:
        try:
            paired.append(replace(image, regions=regions_file(folder, image.name)))
        except InputError as error:
            problems.append(str(error))
    if problems:
        more = f" (and {len(problems) - 1} more of {len(images)} images)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    return paired


def check_region_files(images: Sequence[InputImage], overlaps: OverlapWay, rules: InputRules = ANYWHERE) -> None:
    """See that the files of regions can be read and fit their images, of which only the headers are read.

    Args:
        images: those without regions are passed over.
        overlaps: what becomes of masks that overlap.
        rules: where files must be, and how many pixels they may have.

    Raises:
        InputError: one is not usable; names the first and says how many more there are.
    """
    from freeda_svc.images import load_regions, read_frame  # noqa: PLC0415 - most requests have no regions

    given = [image for image in images if image.regions is not None]
    problems = []
    for image in given:
        assert image.regions is not None
        try:
            load_regions(image.regions, read_frame(image.path, rules).size, overlaps=overlaps, rules=rules)
        except InputError as error:
            problems.append(str(error))
    if problems:
        more = f" (and {len(problems) - 1} more of {len(given)} files of regions)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")


def digest_of_image(image: InputImage, rules: InputRules = ANYWHERE) -> str:
    """Return what a result of an image follows from: the SHA-256 of its file, together with that of its regions' file.

    Empty when the image cannot be read, or lies where the rules do not allow.
    """
    content = digest_of_file(image.path, rules)
    if image.regions is None or not content:
        return content
    return digest_of_parts(content, digest_of_file(image.regions, rules))
