"""A detection function for CVAT: ``cvat-cli task auto-annotate``, or an agent with ``function run-agent``.

Parameters are given with ``-p``, as in ``-p labels=str:'boat|ship, water' -p server=str:http://127.0.0.1:8470``. Images
are segmented by a server of freeda (``server``, or ``FREEDA_SERVER``), or in this process with a bank (``bank``).
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import PIL.Image

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.library import Result
from freeda_svc.outputs.pieces import Piece, find_pieces, join_pieces
from freeda_svc.outputs.polygons import outline_of
from freeda_svc.parameters import Category, PieceParameters, SegmentationOverrides, parse_categories

if TYPE_CHECKING:
    from freeda_svc.client import Client

try:
    import cvat_sdk.auto_annotation as cvataa
    from cvat_sdk.masks import encode_mask
    from cvat_sdk.models import LabeledShapeRequest
except ImportError as missing:
    raise UnavailableError("this needs cvat-sdk: pip install 'freeda-svc[cvat]'") from missing

SERVER, KEY = "FREEDA_SERVER", "FREEDA_SERVER_KEY"
MASK, POLYGON, RECTANGLE = SHAPES = "mask", "polygon", "rectangle"
_CALLED = "="
_REST = "everything else"
"""What the background is called in this process; no label is called like it."""

Segment = Callable[[PIL.Image.Image], Result]


def create(
    labels: str,
    *,
    background: str = "",
    server: str = "",
    key: str = "",
    bank: str = "",
    shape: str = MASK,
    instances: bool = False,
    least_area: int = 1,
    **parameters: Any,  # noqa: ANN401 - any parameter of the segmentation, checked below
) -> "Detector":
    """Make the function; ``cvat-cli`` calls this with what ``-p`` gives.

    Args:
        labels: those of the task, separated by commas. Each is looked for by its name; ``boat|ship`` is the label
            ``boat``, looked for by both words; ``vessel=boat|ship`` the label ``vessel``.
        background: words that stand for everything else, separated by commas.
        server: address of a server; that of ``FREEDA_SERVER`` when empty.
        key: of that server, where it asks for one; that of ``FREEDA_SERVER_KEY`` when empty.
        bank: name of the server's bank; or, without a server, the folder or archive of one, as ``freeda_svc.open_bank``
            takes it.
        shape: ``mask``, ``polygon`` or ``rectangle``.
        instances: whether each connected piece is a mask of its own; polygons and rectangles always are.
        least_area: of pieces, pixels; smaller ones are left out.
        parameters: of the segmentation, by name.

    Raises:
        InputError: something is not usable.
        UnavailableError: the bank cannot be opened.
    """
    if shape not in SHAPES:
        raise InputError(f"shape is {shape!r}, but must be one of {', '.join(SHAPES)}")
    pieces = PieceParameters.read({"instances": instances or shape != MASK, "least_area": least_area})
    categories = read_labels(labels)
    words = [word.strip() for word in background.split(",") if word.strip()]
    checked = SegmentationOverrides.read(parameters).given()
    server = server or os.environ.get(SERVER, "")
    if server:
        open_client = _client(server, key or os.environ.get(KEY, ""))
        segment = _by_server(open_client, categories, background=words, bank=bank, **checked)
    elif bank:
        segment = _in_process(bank, categories, words, checked)
    else:
        raise InputError(f"say who segments: a server with -p server=str:http://HOST:PORT (or {SERVER}), or a bank")
    return Detector([category.name for category in categories], segment, shape, pieces)


def read_labels(text: str) -> list[Category]:
    """Read labels with the words they are looked for by.

    >>> [(one.name, one.texts) for one in read_labels("boat|ship, vessel=barge, sky")]
    [('boat', ('boat', 'ship')), ('vessel', ('barge',)), ('sky', ('sky',))]

    Raises:
        InputError: one is not usable.
    """
    found = []
    for category in parse_categories(text):
        name, called, first = category.name.partition(_CALLED)
        if called:
            words = [word.strip() for word in first.split("|") if word.strip()]
            if not words or not name.strip():
                raise InputError(f"the label {category.name!r} is not understood; write LABEL=WORD or LABEL=WORD|WORD")
            found.append(Category(name.strip(), text=words[0], synonyms=words[1:]))
        else:
            found.append(Category(category.texts[0], synonyms=category.synonyms))
    return found


class Detector:
    """What CVAT calls for each image."""

    def __init__(self, labels: Sequence[str], segment: Segment, shape: str, pieces: PieceParameters) -> None:
        """Take labels by name, and what segments an image into categories called like them."""
        self._ids = {name: number for number, name in enumerate(labels)}
        self._segment = segment
        self._shape = shape
        self._pieces = pieces

    @property
    def spec(self) -> "cvataa.DetectionFunctionSpec":
        """The labels; CVAT finds those of the same names in a task."""
        labels = [cvataa.label_spec(name, number, type=self._shape) for name, number in self._ids.items()]
        return cvataa.DetectionFunctionSpec(labels=labels)

    def detect(self, context: "cvataa.DetectionFunctionContext", image: PIL.Image.Image) -> "list[LabeledShapeRequest]":
        """Segment an image.

        Args:
            context: says whether masks are wanted as polygons, and how sure pieces have to be (their mean score).
            image: of a task.

        Returns:
            Masks in CVAT's notation, polygons or rectangles.

        Raises:
            FreedaError: the image cannot be segmented.
        """
        result = self._segment(image)
        labels, names = result.labels, result.categories
        scores = result.segmentation.pixel_scores
        as_polygon = self._shape == POLYGON or (self._shape == MASK and context.conv_mask_to_poly)
        least = context.conf_threshold
        shapes = []
        for piece in self._found(labels, by_piece=self._pieces.instances or as_polygon):
            number = self._ids.get(names[piece.category])
            is_sure = least is None or scores is None or piece.mean(scores, labels) >= least
            if number is not None and is_sure:
                shapes.append(self._shape_of(piece, labels.shape, number, as_polygon=as_polygon))
        return shapes

    def _found(self, labels: npt.NDArray[np.integer], *, by_piece: bool) -> Sequence[Piece]:
        pieces = find_pieces(labels, self._pieces)
        height, width = labels.shape
        return pieces if by_piece else join_pieces(pieces, (height, width))

    def _shape_of(self, piece: Piece, size: tuple[int, ...], number: int, *, as_polygon: bool) -> "LabeledShapeRequest":
        rows, columns = piece.box
        if as_polygon:
            return cvataa.polygon(number, outline_of(piece, size).ravel().tolist())
        if self._shape == RECTANGLE:
            return cvataa.rectangle(number, [float(x) for x in (columns.start, rows.start, columns.stop, rows.stop)])
        whole = np.zeros(size, dtype=np.bool_)
        whole[rows, columns] = piece.inside
        return cvataa.mask(number, encode_mask(whole))


def _client(address: str, key: str) -> "Callable[[], Client]":
    """Return what opens a client; address and key are checked now."""
    from freeda_svc.client import Client  # noqa: PLC0415 - only with a server

    def opened() -> Client:
        return Client(address, key=key or None)

    opened().close()
    return opened


def _by_server(open_client: "Callable[[], Client]", categories: list[Category], **asked: Any) -> Segment:  # noqa: ANN401
    def segment(image: PIL.Image.Image) -> Result:
        with open_client() as client:  # for each image: an agent calls it in processes that it ends at any time
            [result] = client.segment(_plain(image), categories, **asked)
        return result

    return segment


def _in_process(bank: str, categories: list[Category], background: list[str], parameters: dict[str, Any]) -> Segment:
    from freeda_svc.library import Segmenter, open_bank  # noqa: PLC0415 - brings the models' libraries

    segmenter = Segmenter(open_bank(bank, create=False))
    rest = [Category(_REST, text=background[0], synonyms=background[1:])] if background else []
    asked = [*categories, *rest]
    return lambda image: segmenter.segment(_plain(image), asked, **parameters)


def _plain(image: PIL.Image.Image) -> PIL.Image.Image:
    """The pixels as CVAT has them: an orientation that is noted in the file is no matter of them any more."""
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    plain.info.clear()
    plain.getexif().clear()
    return plain
