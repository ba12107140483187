"""Predictions for Label Studio's tasks: their images become a job, whose masks become marks."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import Request
from pydantic import BaseModel, Field

from freeda_svc.annotation_tools import LabelledImage
from freeda_svc.api.access import Access, own_idempotency_key
from freeda_svc.api.bank_nouns import ask
from freeda_svc.api.context import Context
from freeda_svc.api.fields import read_fields, read_query
from freeda_svc.api.hidden import client_text
from freeda_svc.api.segmentations import SegmentationFields
from freeda_svc.api.task_images import TaskImages
from freeda_svc.api.uploads import Uploads
from freeda_svc.api.waiting import wait_for_end
from freeda_svc.batches import InputImage, check_image, distinct_stems
from freeda_svc.errors import FreedaError, InputError, UnavailableError, one_line
from freeda_svc.jobs import (
    CheckedRequest,
    ItemState,
    JobState,
    SubmittedImage,
    failure_reasons,
    job_items,
    job_state,
    pictures_of,
    retry_failed_items,
    segmentation_request,
    submit_segment,
    submitted_images,
)
from freeda_svc.loggers import logger
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import PieceParameters
from freeda_svc.settings import Settings
from freeda_svc.vocabularies import ChosenCategories
from freeda_svc.workers import CeleryDispatcher

WAIT_SECONDS = 90.0
"""Label Studio itself waits for 100 (``ML_TIMEOUT_PREDICT``)."""
LEAST_AREA = "least_area"
LEAST_AREA_SHARE = 1e-3
"""Of the image: smaller pieces get no polygon or rectangle where nothing else is said."""
_VERSION_DIGITS = 12

log = logger(__name__)


class Task(BaseModel):
    """A task."""

    id: int | str | None = Field(None, description="of Label Studio, for messages and for files in its storages")
    data: dict[str, Any] = Field(description="where its images are, by the fields that the configuration names")


class Prediction(BaseModel):
    """What is predicted of a task."""

    result: list[dict[str, Any]] = Field(description="marks, as Label Studio has them")
    score: float = Field(description="mean score of the marks")
    model_version: str = Field(description="what made them")


@dataclass(frozen=True)
class ImageRequest:
    """What to look for in one of the images of each task.

    Attributes:
        image: of the labelling configuration.
        fields: parameters of the segmentation.
        chosen: categories with colours.
        least_area: of pieces, pixels; None for a share of the image.
    """

    image: LabelledImage
    fields: SegmentationFields
    chosen: ChosenCategories
    least_area: int | None

    def checked(self, settings: Settings) -> CheckedRequest:
        """Return the request with all its parameters, for the pack and the bank of an installation."""
        return segmentation_request(
            settings, self.chosen.categories, overrides=self.fields.overrides, bank=self.fields.bank
        )


@dataclass(frozen=True)
class Caller:
    """Who asks, of which server.

    Attributes:
        request: whose body has been read.
        context: of the server.
        uploads: of the server.
        access: of the client.
    """

    request: Request
    context: Context
    uploads: Uploads
    access: Access


@dataclass
class _Outcome:
    """What has come out for a task so far."""

    marks: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)


def read_requests(images: Sequence[LabelledImage], parameters: Mapping[str, str]) -> list[ImageRequest]:
    """Put what the labelling configuration says together with the project's parameters; the former wins.

    Raises:
        InputError: a parameter is unknown or of a wrong value, or there are too many labels.
    """
    requests = []
    for image in images:
        texts = {**parameters, **image.options}
        area = texts.pop(LEAST_AREA, None)
        least_area = None if area is None else read_query(PieceParameters, {LEAST_AREA: area}).least_area
        fields = read_fields(SegmentationFields, texts, {"categories": [one.given() for one in image.categories]})
        chosen = fields.choose()
        if chosen is None or fields.only_propose:
            raise InputError("the labels say what to look for; leave out auto")
        requests.append(ImageRequest(image, fields, chosen, least_area))
    return requests


def model_version(settings: Settings, requests: Sequence[ImageRequest]) -> str:
    """Return what predictions are made with now: the pack, the bank and its revision.

    Raises:
        InputError: a request is not usable with the pack.
        NotFoundError: there is no such bank.
        UnavailableError: there is no worker, or it does not answer.
    """
    banks = list(dict.fromkeys(request.checked(settings).bank for request in requests))
    pack = read_pack_parameters(settings.pack, settings.packs_folder).fingerprint
    return " + ".join(_version_of(pack, str(bank), ask(settings, "bank_revision", bank=str(bank))) for bank in banks)


def _version_of(pack: str, bank: str, revision: Mapping[str, Any]) -> str:
    removals = hashlib.sha256(str(revision["removals"]).encode()).hexdigest()[:8]
    return f"freeda {pack[:_VERSION_DIGITS]} {bank} {revision['additions']}.{removals}"


async def predict_tasks(
    caller: Caller, tasks: Sequence[Task], requests: Sequence[ImageRequest], version: str
) -> list[Prediction | list[Prediction]]:
    """Segment the images of tasks, and return a prediction a task.

    Args:
        caller: Label Studio.
        tasks: in order.
        requests: what to look for.
        version: of the model now.

    Returns:
        In the order of the tasks; an empty list for one whose image could not be segmented.

    Raises:
        InputError: no task's image could be segmented; says why of the first.
        UnavailableError: it takes too long, or a part does not answer.
    """
    until = asyncio.get_running_loop().time() + WAIT_SECONDS
    outcomes = [_Outcome() for _ in tasks]
    folder = await to_thread.run_sync(caller.uploads.new_folder)
    try:
        for number, asked in enumerate(requests):
            place = folder / str(number)
            place.mkdir()
            found = await _fetch(caller.context.settings, asked, tasks, outcomes, place)
            if found:
                job = await _perform(caller, asked, list(found.values()), version, until)
                given = [outcomes[number] for number in found]
                await to_thread.run_sync(_collect, caller.context.settings, job, asked, given)
    finally:
        asyncio.get_running_loop().run_in_executor(None, partial(shutil.rmtree, folder, ignore_errors=True))
    for task, outcome in zip(tasks, outcomes, strict=True):
        if outcome.problems:
            log.warning("a task was not predicted", task=str(task.id), reason=outcome.problems[0])
    if outcomes and all(outcome.problems for outcome in outcomes):
        raise InputError(outcomes[0].problems[0])
    return [_prediction(outcome, version) for outcome in outcomes]


def _prediction(outcome: _Outcome, version: str) -> Prediction | list[Prediction]:
    from freeda_svc.outputs.label_studio import prediction_of  # noqa: PLC0415 - brings numpy

    if outcome.problems:
        return []
    made_with = " + ".join(dict.fromkeys(outcome.versions)) or version
    return Prediction(**prediction_of(outcome.marks, made_with))


async def _fetch(
    settings: Settings, asked: ImageRequest, tasks: Sequence[Task], outcomes: Sequence[_Outcome], folder: Path
) -> dict[int, Path]:
    """Fetch one of the images of each task, by the tasks' numbers; why one cannot be used goes to the outcomes."""
    found = await TaskImages(settings, folder).fetch([(task.id, task.data.get(asked.image.field)) for task in tasks])
    usable = {}
    for number, image in enumerate(found):
        reason = str(image) if isinstance(image, FreedaError) else await to_thread.run_sync(_unusable, settings, image)
        if reason or isinstance(image, FreedaError):
            outcomes[number].problems.append(reason)
        else:
            usable[number] = image
    return usable


async def _perform(caller: Caller, asked: ImageRequest, paths: Sequence[Path], version: str, until: float) -> str:
    """Submit images and wait until their job has ended.

    Raises:
        UnavailableError: it has not by then.
    """
    settings = caller.context.settings
    job = await to_thread.run_sync(partial(_submit, settings, caller.access, asked, paths, version))
    left = until - asyncio.get_running_loop().time()
    if not await wait_for_end(caller.context.changes, settings, job, left, caller.request):
        raise UnavailableError(
            f"job {job} has not ended within {WAIT_SECONDS:.0f} s and goes on; ask again for the same tasks"
        )
    return job


def _unusable(settings: Settings, image: Path) -> str:
    try:
        check_image(image, settings.input_rules.anywhere())
    except InputError as error:
        return str(error).replace(str(image), image.name)
    return ""


def _submit(settings: Settings, access: Access, asked: ImageRequest, paths: Sequence[Path], version: str) -> str:
    """Submit images; asking again for the same ones finds the same job, of which failed images are tried again."""
    names = [path.name for path in paths]
    given = [InputImage(path, name, stem) for path, name, stem in zip(paths, names, distinct_stems(names), strict=True)]
    same = [
        version,
        asked.fields.model_dump(mode="json"),
        [_digest(path) for path in paths],
        names,
    ]
    key = f"label-studio {hashlib.sha256(json.dumps(same).encode()).hexdigest()}"
    dispatcher = CeleryDispatcher(settings)
    submit = partial(
        submit_segment,
        settings,
        given,
        asked.chosen.categories,
        overrides=asked.fields.overrides,
        source=names[0] if len(names) == 1 else f"{len(names)} images of Label Studio",
        dispatcher=dispatcher,
        bank=asked.fields.bank,
        colours=asked.chosen.colours,
        priority=asked.fields.rank,
        uploaded=True,
    )
    job = submit(idempotency_key=own_idempotency_key(access, key))
    state = job_state(settings, job)
    if state is JobState.CANCELLED:
        return submit()
    if state in (JobState.FAILED, JobState.PARTLY_FAILED):
        retry_failed_items(settings, job, dispatcher=dispatcher)
    return job


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _collect(settings: Settings, job: str, asked: ImageRequest, outcomes: Sequence[_Outcome]) -> None:
    from freeda_svc.outputs.label_studio import mark_regions  # noqa: PLC0415 - brings numpy

    images = submitted_images(settings, job)
    done = [image for image in images if image.state is ItemState.DONE]
    pictures = {image.number: picture for image, picture in zip(done, pictures_of(settings, done), strict=True)}
    for image, outcome in zip(images, outcomes, strict=True):
        picture = pictures.get(image.number)
        if picture is None:
            outcome.problems.append(_reason(settings, image))
            continue
        result = picture.result
        labels, summary = result.labels, result.summary
        least = int(labels.size * LEAST_AREA_SHARE) if asked.least_area is None else asked.least_area
        for control in asked.image.controls:
            outcome.marks += mark_regions(
                control,
                labels,
                result.names,
                result.category_scores,
                key=f"{image.content}\0{control.image}",
                pixel_scores=result.scores(),
                least_area=least,
            )
        outcome.versions.append(_version_of(summary["pack"], summary["bank"], summary["bank_version"]))


def _reason(settings: Settings, image: SubmittedImage) -> str:
    return client_text(one_line(failure_reasons(partial(job_items, settings), [image])[0]), settings)
