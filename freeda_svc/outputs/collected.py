"""Files that hold the results of many images: COCO's and Label Studio's. They are written as a stream."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import UnavailableError
from freeda_svc.outputs.coco import FIRST_ID, coco_categories, coco_results
from freeda_svc.outputs.files import write_whole
from freeda_svc.outputs.kept import KeptResult
from freeda_svc.outputs.label_studio import LOCAL_FILES, label_studio_configuration, label_studio_task
from freeda_svc.whole_files import placed_whole

COCO = ("coco.json", "coco.results.json")
LABEL_STUDIO = ("label-studio.json", "label-studio.xml")


class Collected(Protocol):
    """What is collected of an image."""

    @property
    def file(self) -> str:
        """Its name, perhaps with folders."""

    @property
    def result(self) -> KeptResult:
        """What is kept of its segmentation."""

    @property
    def colours(self) -> npt.NDArray[np.uint8]:
        """(N, 3) uint8, one a category."""


class _JsonList:
    """A list in a JSON file, of which one entry at a time is held."""

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
        raise UnavailableError(f"cannot write {path}: {error.strerror or error}; name another folder") from error


def write_coco(paths: Sequence[Path], pictures: Sequence[Collected], **_options: str) -> None:
    """Write masks as COCO keeps them: a data set with images, categories and annotations, and a list of results.

    The first file is what ``pycocotools.coco.COCO`` opens, the second what its ``loadRes`` takes beside it. Ids begin
    with 1; a category's ``mask_value`` is its pixel value in mask files.

    Args:
        paths: of both files.
        pictures: the images, with the same categories.
    """
    names = pictures[0].result.names
    images: list[dict[str, Any]] = []
    annotations = 0
    with ExitStack() as files:
        data_set, results = (files.enter_context(_text_file(path)) for path in paths)
        data_set.write(
            f'{{"info": {_json({"description": "segmented by freeda"})}, "licenses": [],\n'
            f'"categories": {_json(coco_categories(names))},\n"annotations": ['
        )
        results.write("[")
        of_data_set, of_results = _JsonList(data_set), _JsonList(results)
        for image_id, picture in enumerate(pictures, start=FIRST_ID):
            labels = picture.result.labels
            height, width = labels.shape
            images.append({"id": image_id, "file_name": picture.file, "height": height, "width": width})
            for result, mask in coco_results(labels, picture.result.category_scores, image_id):
                of_results.add(result)
                more = {"id": FIRST_ID + annotations, "area": mask.area, "bbox": mask.box, "iscrowd": 0}
                of_data_set.add({**more, **result})
                annotations += 1
        results.write("\n]\n")
        data_set.write(f'\n],\n"images": {_json(images)}}}\n')


def write_label_studio(
    paths: Sequence[Path], pictures: Sequence[Collected], *, image_prefix: str = LOCAL_FILES
) -> None:
    """Write tasks for Label Studio's import, with masks as predictions, and the labelling configuration they need.

    Args:
        paths: of the tasks and of the configuration.
        pictures: the images, with the same categories.
        image_prefix: what comes before an image's path in a task.
    """
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
                    file=picture.file,
                    prefix=image_prefix,
                    model=f"freeda {str(result.summary['pack'])[:12]}",
                )
            )
        file.write("\n]\n")
    write_whole(configuration_path, label_studio_configuration(names, pictures[0].colours).encode())


COLLECTIONS: Mapping[str, tuple[tuple[str, ...], Callable[..., None]]] = {
    "coco": (COCO, write_coco),
    "label-studio": (LABEL_STUDIO, write_label_studio),
}
"""The formats that make files for all images: their names, and what writes them."""
