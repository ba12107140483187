"""Files that hold the results of many images: COCO's and Label Studio's. They are written as a stream."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.coco import FIRST_ID, CategoryMask, coco_categories, coco_masks, coco_result, piece_mask
from freeda_svc.outputs.files import not_written, write_whole
from freeda_svc.outputs.kept import SegmentedImage
from freeda_svc.outputs.label_studio import label_studio_configuration, label_studio_task
from freeda_svc.outputs.names import file_text
from freeda_svc.outputs.pieces import find_pieces, join_pieces
from freeda_svc.parameters import PieceParameters
from freeda_svc.whole_files import placed_whole

COCO = ("coco.json", "coco.results.json")
LABEL_STUDIO = ("label-studio.json", "label-studio.xml")


class _JsonList:
    """A list in a JSON file, written entry by entry."""

    def __init__(self, file: TextIOWrapper) -> None:
        self._file, self._written = file, 0

    def add(self, entry: Mapping[str, Any]) -> None:
        self._file.write(",\n" if self._written else "\n")
        self._file.write(_json(entry))
        self._written += 1


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@contextmanager
def _text_file(path: Path) -> Iterator[TextIOWrapper]:
    try:
        with placed_whole(path) as aside, aside.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise not_written(path, error) from error


def write_coco(
    out: Path,
    pictures: Sequence[SegmentedImage],
    *,
    pieces: PieceParameters,
    **_options: Any,  # noqa: ANN401 - of other formats
) -> list[Path]:
    """Write masks as COCO keeps them: a data set with images, categories and annotations, and a list of results.

    The first file is what ``pycocotools.coco.COCO`` opens, the second what its ``loadRes`` takes beside it. Ids begin
    with 1; a category's ``mask_value`` is its pixel value in mask files; ``info`` says what the annotations are.

    Args:
        out: the folder.
        pictures: the images, with the same categories.
        pieces: whether each connected piece has an annotation, or each category in an image, and which pieces count.

    Returns:
        What was written.

    Raises:
        UnavailableError: the folder cannot be written.
    """
    names = pictures[0].result.names
    images: list[dict[str, Any]] = []
    annotations = 0
    paths = [out / name for name in COCO]
    about = {"description": "segmented by freeda", **pieces.model_dump()}
    with ExitStack() as files:
        data_set, results = (files.enter_context(_text_file(path)) for path in paths)
        data_set.write(
            f'{{"info": {_json(about)}, "licenses": [],\n'
            f'"categories": {_json(coco_categories(names))},\n"annotations": ['
        )
        results.write("[")
        of_data_set, of_results = _JsonList(data_set), _JsonList(results)
        for image_id, picture in enumerate(pictures, start=FIRST_ID):
            labels = picture.result.labels
            height, width = labels.shape
            file = file_text(picture.image.name)
            images.append({"id": image_id, "file_name": file, "height": height, "width": width})
            for mask, score in _masks(picture, labels, pieces):
                result = coco_result(mask, score, image_id)
                of_results.add(result)
                more = {"id": FIRST_ID + annotations, "area": mask.area, "bbox": mask.box, "iscrowd": 0}
                of_data_set.add({**more, **result})
                annotations += 1
        results.write("\n]\n")
        data_set.write(f'\n],\n"images": {_json(images)}}}\n')
    return paths


def _masks(
    picture: SegmentedImage, labels: npt.NDArray[np.int32], parameters: PieceParameters
) -> Iterator[tuple[CategoryMask, float | None]]:
    """Make the masks of an image, each with its mean score."""
    if not parameters.instances and not parameters.changes_masks:
        of_categories = picture.result.category_scores
        yield from ((mask, of_categories[mask.category]) for mask in coco_masks(labels))
        return
    height, width = labels.shape
    pieces = find_pieces(labels, parameters)
    scores = picture.result.scores()
    for piece in pieces if parameters.instances else join_pieces(pieces, (height, width)):
        yield piece_mask(piece, (height, width)), piece.mean(scores, labels)


def write_label_studio(
    out: Path,
    pictures: Sequence[SegmentedImage],
    *,
    image_prefix: str,
    **_options: Any,  # noqa: ANN401 - of other formats
) -> list[Path]:
    """Write tasks for Label Studio's import, with masks as predictions, and the labelling configuration they need.

    Args:
        out: the folder.
        pictures: the images, with the same categories.
        image_prefix: what comes before an image's path in a task.

    Returns:
        What was written.

    Raises:
        UnavailableError: the folder cannot be written.
    """
    paths = [out / name for name in LABEL_STUDIO]
    tasks_path, configuration_path = paths
    names = pictures[0].result.names
    with _text_file(tasks_path) as file:
        file.write("[")
        tasks = _JsonList(file)
        for picture in pictures:
            result = picture.result
            tasks.add(
                label_studio_task(
                    result.labels,
                    names,
                    result.category_scores,
                    file=picture.image.name,
                    prefix=image_prefix,
                    model=f"freeda {str(result.summary['pack'])[:12]}",
                )
            )
        file.write("\n]\n")
    write_whole(configuration_path, label_studio_configuration(names, pictures[0].noted_colours()).encode())
    return paths
