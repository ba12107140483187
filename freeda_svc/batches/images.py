"""Images that are segmented together: checked before work is done, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules, check_place
from freeda_svc.outputs import InputImage

if TYPE_CHECKING:
    from freeda_svc.images import LoadedImage
    from freeda_svc.outputs import KeptResult
    from freeda_svc.segmentation import Segmentation


@dataclass(frozen=True)
class ImageOutcome:
    """What became of one image.

    Attributes:
        image: the image.
        segmentation: its result, where it was segmented in this process; None otherwise.
        loaded: the pixels that were segmented; None where ``segmentation`` is.
        result: what is kept of its segmentation, where that was done before; None otherwise.
        files: its files, by format; empty when none are written.
        was_done: whether its files were there already.
        was_older: whether the bank has changed since an earlier run wrote files of it by this request.
        was_otherwise: whether earlier files of it were made by another request, and were replaced.
        error: why it was not segmented, or its files not written; empty when all went well.
    """

    image: InputImage
    segmentation: "Segmentation | None" = None
    loaded: "LoadedImage | None" = None
    result: "KeptResult | None" = None
    files: Mapping[str, Path] = field(default_factory=dict)
    was_done: bool = False
    was_older: bool = False
    was_otherwise: bool = False
    error: str = ""


def check_image(image: Path, rules: InputRules = ANYWHERE) -> None:
    """See that a path is an image, from its header, and that it may be read.

    Args:
        image: the path.
        rules: where it must be, and how many pixels it may have.

    Raises:
        InputError: it does not exist, is a folder, cannot be read, is no image or too large, or is elsewhere.
    """
    from freeda_svc.images import check_image_file  # noqa: PLC0415 - listing jobs does without it

    check_place(image, rules.folders)
    check_image_file(image, rules)


def check_images(images: Sequence[Path], rules: InputRules = ANYWHERE) -> None:
    """See that every path is an image that may be read, as ``check_image`` does.

    Raises:
        InputError: none was given, or one is not usable; names the first and says how many more there are.
    """
    if not images:
        raise InputError("no images were given; give at least one image file")
    problems = []
    for image in images:
        try:
            check_image(image, rules)
        except InputError as error:
            problems.append(error)
    if problems:
        more = f" (and {len(problems) - 1} more of {len(images)} files)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}") from problems[0]
