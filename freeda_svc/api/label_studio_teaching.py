"""What annotators draw in Label Studio becomes exemplars of the bank."""

import asyncio
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from freeda_svc.annotation_tools import LabelledImage, read_label_config
from freeda_svc.api.access import Access, own_idempotency_key
from freeda_svc.api.label_studio_predictions import Caller, read_requests
from freeda_svc.api.label_studio_projects import kept_parameters
from freeda_svc.api.task_images import TaskImages
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.jobs import submit_exemplars
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher

if TYPE_CHECKING:
    from freeda_svc.prototypes import MarkedImage

TEACHES = "ANNOTATION_CREATED"


async def teach(
    caller: Caller,
    action: str,
    annotation: Any,  # noqa: ANN401 - JSON
    task: Any,  # noqa: ANN401 - JSON
    project: Any,  # noqa: ANN401 - JSON
) -> tuple[str | None, str]:
    """Submit what was drawn as exemplars.

    Args:
        caller: Label Studio.
        action: what has happened.
        annotation: what was drawn.
        task: in which task.
        project: its project, with its labelling configuration.

    Returns:
        The job; or None, and why there is none.

    Raises:
        InputError: the event, or what was drawn, cannot be read.
        FreedaError: an image cannot be had.
        UnavailableError: a part does not answer.
    """
    settings = caller.context.settings
    if action != TEACHES:
        return None, f"only {TEACHES} teaches"
    if not settings.label_studio_teaches:
        return None, "the setting label_studio_teaches is off"
    if not (isinstance(annotation, Mapping) and isinstance(task, Mapping) and isinstance(project, Mapping)):
        raise InputError("the event holds no annotation with its task and project; let the webhook send its payload")
    results, data = annotation.get("result"), task.get("data")
    if not isinstance(results, list) or not isinstance(data, Mapping):
        raise InputError("the event holds no result of the annotation, or no data of its task")
    if annotation.get("was_cancelled"):
        return None, "the annotation was skipped"
    images = read_label_config(str(project.get("label_config", "")))
    parameters = await to_thread.run_sync(kept_parameters, settings, _name_of(project))
    banks = {request.fields.bank for request in read_requests(images, parameters)}
    if len(banks) > 1:
        raise InputError("the images of the project name different banks; what is drawn is added to one")
    folder = await to_thread.run_sync(caller.uploads.new_folder)
    try:
        addresses = [(task.get("id"), data.get(image.field)) for image in images]
        found = await TaskImages(settings, folder).fetch(addresses)
        marks = [result for result in results if isinstance(result, Mapping)]
        drawn = await to_thread.run_sync(_drawn, settings, images, found, marks)
        if not drawn:
            return None, "nothing was drawn by brush, polygon or rectangle, or only predictions were taken over"
        return await to_thread.run_sync(_submit, settings, caller.access, annotation, drawn, banks.pop()), ""
    finally:
        asyncio.get_running_loop().run_in_executor(None, partial(shutil.rmtree, folder, ignore_errors=True))


def _name_of(project: Mapping[str, Any]) -> str:
    """How Label Studio calls the project when it asks for predictions."""
    try:
        return f"{project['id']}.{int(datetime.fromisoformat(project['created_at']).timestamp())}"
    except (KeyError, TypeError, ValueError):
        return ""


def _submit(
    settings: Settings, access: Access, annotation: Mapping[str, Any], drawn: "Sequence[MarkedImage]", bank: str
) -> str:
    name = " ".join(str(annotation.get(part, "")) for part in ("id", "unique_id", "created_at"))
    return submit_exemplars(
        settings,
        drawn,
        source=f"annotation {str(annotation.get('id', ''))[:20]} of Label Studio",
        dispatcher=CeleryDispatcher(settings),
        bank=bank,
        idempotency_key=own_idempotency_key(access, f"label-studio {hashlib.sha256(name.encode()).hexdigest()}"),
    )


def _drawn(
    settings: Settings,
    images: Sequence[LabelledImage],
    found: Sequence[Path | FreedaError],
    results: Sequence[Mapping[str, Any]],
) -> "list[MarkedImage]":
    from freeda_svc.annotation_tools import read_marks  # noqa: PLC0415 - brings numpy
    from freeda_svc.prototypes import MarkedImage, tidy_noun  # noqa: PLC0415 - as above

    drawn = []
    for image, path in zip(images, found, strict=True):
        marks = read_marks(results, image, most_pixels=settings.input_rules.most_pixels)
        if marks and isinstance(path, FreedaError):
            raise path
        nouns = {category.name: category.retrieval_text for category in image.categories}
        drawn += [
            MarkedImage(tidy_noun(nouns[one.category]), path, one.mask, "") for one in marks if isinstance(path, Path)
        ]
    return drawn
