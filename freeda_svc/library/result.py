"""A segmented image: arrays, a table of plain values, files of every format, and a picture that a notebook shows."""

import base64
import html
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.library.arguments import UNNAMED, described
from freeda_svc.library.saving import save_results
from freeda_svc.outputs import draw_overlay, palette, summarise
from freeda_svc.outputs.pieces import find_pieces, join_pieces
from freeda_svc.parameters import PieceParameters, fold_text
from freeda_svc.segmentation import UNKNOWN, Category, Evidence, Segmentation, score_map

if TYPE_CHECKING:
    import supervision

_LONGEST_SHOWN_SIDE = 1024
_PERCENT = 100
_SHOWN_NAMES = 6
_ROUNDING = 1e-4
"""How much scores of the same image may differ: models add up in another order on other numbers of threads."""
_TABLE = ("category", "area", "score", "highest", "prototypes")
"""The columns of a table that a notebook shows."""


class Result:
    """A segmented image.

    Results are equal when their categories and labels are, and their scores up to rounding. A notebook
    shows one as the image under the colours of its categories, with a table.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        image: npt.NDArray[np.uint8],
        name: str = "",
        *,
        evidence: Evidence | None = None,
        artifacts: Path | None = None,
    ) -> None:
        """Take what ``Segmenter`` has made."""
        regions = segmentation.region_scores
        if regions is not None and regions.map.size and regions.map.min() >= 0:
            # only pixels without a region need the scores of windows, which are large
            segmentation = replace(segmentation, region_scores=replace(regions, windows=()))
        self._segmentation = segmentation
        self._image = image
        self._name = name
        self._evidence = evidence
        self._artifacts = artifacts

    @property
    def name(self) -> str:
        """The image's file name, or ``image`` where it came without."""
        return self._name or UNNAMED

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8, RGB: the image that was segmented, upright; what is transparent in it is white."""
        return self._image

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(H, W) int32: for each pixel the index of its category in ``categories``, -1 where it has none."""
        return self._segmentation.labels

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of the categories, in the order of the labels, exactly as they were given."""
        return tuple(category.name for category in self._segmentation.categories)

    @property
    def segmentation(self) -> Segmentation:
        """All that is known: parameters, bank and pack, seconds of each step, scores of regions."""
        return self._segmentation

    @property
    def evidence(self) -> Evidence | None:
        """Why the image was segmented as it was; None in a result that ``Segmenter.explain`` did not return."""
        return self._evidence

    @property
    def artifacts(self) -> Path | None:
        """The folder with the thumbnails of the bank's prototypes; None where the bank has none."""
        return self._artifacts

    def mask(self, category: str | int) -> npt.NDArray[np.bool_]:
        """Where a category is.

        Args:
            category: its name, one of its texts (``ship`` of ``boat|ship``), or its index; -1 is what has no category.

        Returns:
            (H, W) bool.

        Raises:
            InputError: there is no such category.
        """
        unknown = isinstance(category, int) and category == UNKNOWN
        index = UNKNOWN if unknown else self._index(category)
        return np.asarray(self.labels == index)

    def scores(self, category: str | int) -> npt.NDArray[np.float32]:
        """How well a category fits each pixel, also where another one won: the final score (eq. 5 of the paper).

        Args:
            category: its name, one of its texts (``ship`` of ``boat|ship``), or its index.

        Returns:
            (H, W) float32, -1 to 1, before any refinement (the parameter ``refinement``).

        Raises:
            InputError: there is no such category.
        """
        index, regions = self._index(category), self._segmentation.region_scores
        assert regions is not None  # a Segmenter keeps them
        return score_map(regions, (self.labels.shape[0], self.labels.shape[1]), index)

    def table(self) -> list[dict[str, Any]]:
        """What was found of each category, as rows of plain values; ``pandas.DataFrame`` takes them.

        Returns:
            A row per category, in their order: ``category``; ``index`` (its label); ``area`` (share of the image, 0 to
            1); ``pixels``; ``score`` (mean over its pixels, -1 to 1; None without any); ``highest`` (its best score
            anywhere); ``prototypes`` (how many of its very words the bank has); ``stand_ins`` (the nouns whose
            prototypes were compared as well, or in place of it, by how many).
        """
        summary = summarise(self._segmentation)
        pixels = np.bincount(self.labels.ravel() + 1, minlength=len(self.categories) + 1)[1:].tolist()
        return [
            {
                "category": found["name"],
                "index": found["index"],
                "area": found["area_share"],
                "pixels": pixels[found["index"]],
                "score": found["score"],
                "highest": found["highest_score"],
                "prototypes": sum(word["prototypes"] for word in found["words"]),
                "stand_ins": _stand_ins(found["words"], category.texts),
            }
            for found, category in zip(summary["categories"], self._segmentation.categories, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """The content of the JSON summary that ``freeda segment`` writes: scores, parameters, bank, pack, seconds."""
        return summarise(self._segmentation)

    def overlay(self) -> Image.Image:
        """Draw the image under the colours of its categories, with a legend; an RGB picture."""
        return draw_overlay(self._image, self.labels, self.categories, palette(len(self.categories)))

    def save(
        self, folder: str | os.PathLike[str], formats: Iterable[str] | None = None, *, instances: bool = False
    ) -> list[Path]:
        """Write files, each whole, replacing those of the same names; see ``save_results`` for several images.

        Args:
            folder: is made when it is not there.
            formats: some of ``mask``, ``overlay``, ``summary``, ``scores-png``, ``scores-npz``, ``polygons``,
                ``coco``, ``label-studio``, ``yolo``, ``voc``, ``index``, which docs/formats.md describes; mask,
                overlay and summary by default. Of a result of ``Segmenter.explain`` also ``evidence`` and
                ``evidence-page``.
            instances: whether each connected piece counts by itself in formats of annotations.

        Returns:
            What was written.

        Raises:
            InputError: there is no such format, files of other images are in the way, or a format needs evidence that
                was not collected.
            UnavailableError: the folder cannot be written.
        """
        return save_results([self], folder, formats, instances=instances)

    def to_coco(self, *, instances: bool = False) -> dict[str, Any]:
        """The data set that the format ``coco`` writes: ``images``, ``categories``, ``annotations`` with run lengths.

        Args:
            instances: whether each connected piece has an annotation, or each category.
        """
        with TemporaryDirectory(prefix="freeda-") as folder:
            save_results([self], folder, ["coco"], instances=instances)
            data_set: dict[str, Any] = json.loads((Path(folder) / "coco.json").read_bytes())
        return data_set

    def to_supervision(self, *, instances: bool = False) -> "supervision.Detections":
        """Detections for the annotators and metrics of the library supervision.

        Args:
            instances: whether each connected piece is a detection, or each category.

        Returns:
            ``xyxy`` (n, 4) float32, pixels, the last row and column included; ``mask`` (n, H, W) bool; ``confidence``
            (n,) float32, mean scores; ``class_id`` (n,) int, labels; ``data["class_name"]`` the categories' names.

        Raises:
            UnavailableError: supervision is not installed.
        """
        try:
            import supervision  # noqa: PLC0415 - optional
        except ImportError as error:
            raise UnavailableError(
                "to_supervision needs the library supervision; install it with: pip install supervision"
            ) from error
        pieces = find_pieces(self.labels, PieceParameters(instances=instances))
        if not instances:
            pieces = join_pieces(pieces, (self.labels.shape[0], self.labels.shape[1]))
        if not pieces:
            return supervision.Detections.empty()
        masks = np.zeros((len(pieces), *self.labels.shape), dtype=np.bool_)
        for mask, piece in zip(masks, pieces, strict=True):
            mask[piece.box] = piece.inside
        scores = self._segmentation.pixel_scores
        assert scores is not None
        return supervision.Detections(
            xyxy=supervision.mask_to_xyxy(masks).astype(np.float32),
            mask=masks,
            confidence=np.array([piece.mean(scores, self.labels) for piece in pieces], dtype=np.float32),
            class_id=np.array([piece.category for piece in pieces], dtype=np.int64),
            data={"class_name": np.array([self.categories[piece.category] for piece in pieces])},
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        mine, others = self._segmentation, other._segmentation
        return (
            mine.categories == others.categories
            and np.array_equal(mine.labels, others.labels)
            and np.allclose(_numbers(mine), _numbers(others), rtol=0, atol=_ROUNDING)
        )

    __hash__ = None  # type: ignore[assignment] # it is compared by its content, as a list is

    def __repr__(self) -> str:
        height, width = self.labels.shape
        rows = sorted((row for row in self.table() if row["pixels"]), key=lambda row: -row["pixels"])
        found = [f"{row['category']} {row['area']:.1%}" for row in rows[:_SHOWN_NAMES]]
        found += [f"{len(rows) - _SHOWN_NAMES} more"] if len(rows) > _SHOWN_NAMES else []
        found += [f"unknown {self._segmentation.unknown_share:.1%}"] if self._segmentation.unknown_share else []
        return f"<Result {self.name}, {width} x {height}: {', '.join(found)}>"

    def _repr_png_(self) -> bytes:
        picture = self.overlay()
        picture.thumbnail((_LONGEST_SHOWN_SIDE, _LONGEST_SHOWN_SIDE))
        content = BytesIO()
        picture.save(content, format="PNG")
        return content.getvalue()

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self._repr_png_()).decode("ascii")
        head = "".join(f"<th>{name}</th>" for name in _TABLE)
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(_cell(row[name], name))}</td>' for name in _TABLE)}</tr>"
            for row in self.table()
        )
        return (
            f'<img alt="{html.escape(self.name)}" style="max-width:100%" src="data:image/png;base64,{picture}">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _index(self, category: str | int) -> int:
        categories = self._segmentation.categories
        if isinstance(category, int) and not isinstance(category, bool):
            if 0 <= category < len(categories):
                return category
        elif isinstance(category, str):
            for has in (_is_called, _has_text):
                for index, known in enumerate(categories):
                    if has(known, category):
                        return index
        asked = repr(category) if isinstance(category, str | int) else f"like {described(category)}"
        raise InputError(f"there is no category {asked} in this result; there are {', '.join(self.categories)}")


def _numbers(segmentation: Segmentation) -> list[tuple[float, float]]:
    return [(0.0 if found.score is None else found.score, found.highest_score) for found in segmentation.scores]


def _is_called(category: Category, name: str) -> bool:
    return category.name == name


def _has_text(category: Category, text: str) -> bool:
    return text in category.texts


def _stand_ins(words: Iterable[Mapping[str, Any]], texts: Iterable[str]) -> dict[str, int]:
    """How many prototypes were retrieved for a category that are of other nouns than its own texts."""
    own = {fold_text(text) for text in texts}
    found: dict[str, int] = {}
    for word in words:
        for other in word["nearest"]:
            if fold_text(other["noun"]) not in own:
                found[other["noun"]] = found.get(other["noun"], 0) + other["retrieved"]
    return found


def _cell(value: object, column: str) -> str:
    if value is None:
        return ""
    if column == "area":
        return f"{value:.1%}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
