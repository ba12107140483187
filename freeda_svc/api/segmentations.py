"""Submitting images to be segmented."""

from dataclasses import replace
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import Field

from freeda_svc.api.access import Access, Submitter, own_idempotency_key
from freeda_svc.api.bodies import documented_body
from freeda_svc.api.context import ServerContext
from freeda_svc.api.fields import ImageFields, read_fields
from freeda_svc.api.hidden import client_text
from freeda_svc.api.image_urls import with_fetched
from freeda_svc.api.problems import ProblemError, problems
from freeda_svc.api.results import JobResults, results_of_job
from freeda_svc.api.submitting import (
    Accepted,
    IdempotencyKey,
    LeftOutImage,
    Prefer,
    answer_submission,
    seconds_to_wait,
    submitted,
)
from freeda_svc.api.uploads import ANY_IMAGE, JSON, AcceptedBodies, Upload, received, with_json
from freeda_svc.batches import InputImage, check_image, distinct_stems
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, one_line
from freeda_svc.jobs import JobState, submit_segment
from freeda_svc.parameters import PLACES, CategoryChoice, SegmentationOverrides
from freeda_svc.settings import Settings
from freeda_svc.vocabularies import ChosenCategories, choose_categories
from freeda_svc.workers import CeleryDispatcher

MOST_IMAGES = 1000
MOST_CATEGORIES = 2000
REGIONS = "region_map"
"""The field of a form that holds files of regions; ``regions`` is the parameter."""

BODIES = AcceptedBodies(
    fields=("image", REGIONS),
    content_types={ANY_IMAGE: "", "application/octet-stream": "", JSON: ".json"},
    most_files=MOST_IMAGES,
    expected="multipart/form-data with files called image, one image as the body with its own type, as image/png, or "
    "JSON that names urls",
    most_of_each=True,
)

router = APIRouter(tags=["segmentations"])


class SegmentationFields(ImageFields, CategoryChoice, SegmentationOverrides):
    """What is asked of all images of a segmentation; parameters that are not given are the pack's."""

    auto: bool = Field(
        default=False, description="Name no categories: the bank proposes some for each image, a list of its own."
    )
    only_propose: bool = Field(
        default=False, description="With auto: say what the bank proposes for each image, and segment none."
    )
    explain: bool = Field(default=False, description="Whether evidence is kept of each image.")
    leave_out_unusable: bool = Field(
        default=False,
        description="Accept the other images where some are not usable, as those that are damaged or too large: "
        "`left_out` in the answer says which and why, and numbers of results count those that are accepted.",
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """The parameters that differ from the pack's, as JSON holds them."""
        return self.model_dump(mode="json", include=set(PLACES), exclude_none=True)

    def choose(self) -> ChosenCategories | None:
        """Return the categories; None where the bank proposes some.

        Raises:
            InputError: none are named, some are although they are proposed, or too many.
        """
        named = len(self.categories) + len(self.background) + (self.vocabulary is not None)
        if self.auto:
            if named:
                raise InputError("auto lets the bank propose the categories; name none beside it")
            return None
        if self.only_propose:
            raise InputError("only_propose goes with auto")
        if not self.categories and self.vocabulary is None:
            raise InputError("say what to look for with categories, vocabulary or auto")
        if len(self.categories) > MOST_CATEGORIES:
            raise InputError(
                f"{len(self.categories):,} categories were given; at most {MOST_CATEGORIES:,} are possible"
            )
        return choose_categories(
            CategoryChoice(vocabulary=self.vocabulary, categories=self.categories, background=self.background)
        )


class AcceptedImages(Accepted):
    """A segmentation that was accepted and goes on."""

    left_out: list[LeftOutImage] = Field(
        default=[], description="images that were not accepted, where `leave_out_unusable` was set"
    )


class SubmittedResults(JobResults):
    """Results of a segmentation that has ended while the client waited."""

    left_out: list[LeftOutImage] = Field(
        default=[], description="images that were not accepted, where `leave_out_unusable` was set"
    )


@router.post(
    "/v1/segmentations",
    summary="Segment images",
    status_code=200,
    responses={
        202: {"model": AcceptedImages, "description": "accepted; `Location` says where the job is"},
        **problems(400, 404, 413, 415, 422, 503),
    },
    openapi_extra=documented_body(
        SegmentationFields,
        BODIES,
        {
            "image": "The images; also as `images` or `image[]`.",
            REGIONS: "Your own regions, one file for each image in the same order: a label map as PNG (0 is no region) "
            "or JSON with masks as COCO has them.",
        },
        fields_as_json=True,
    ),
)
async def segment(
    request: Request,
    response: Response,
    context: ServerContext,
    access: Submitter,
    *,
    prefer: Prefer = [],  # noqa: B006 - FastAPI copies defaults
    idempotency_key: IdempotencyKey = "",
) -> SubmittedResults | AcceptedImages:
    """Submit images; all of them are accepted, or none, unless `leave_out_unusable` is set.

    Images are the files of a form, or the body itself, or `urls` in a form or in JSON names them. In a form, files
    called `region_map` may bring regions of your own, one for each image in the same order, each of which gets one
    category.
    Answers 202 with the job. With `Prefer: wait=N` it answers 200 with the results if the job ends in time.
    """
    seconds = seconds_to_wait(prefer)
    async with received(request, BODIES) as upload:
        job_id, left_out = await to_thread.run_sync(_submit, context.settings, upload, access, idempotency_key)

    def outcome() -> SubmittedResults:
        return SubmittedResults(**dict(results_of_job(context.settings, job_id)), left_out=left_out)

    def accepted(job: str, state: JobState, location: str) -> AcceptedImages:
        return AcceptedImages(job=job, state=state, location=location, left_out=left_out)

    return await answer_submission(
        request, response, context, job_id=job_id, seconds=seconds, outcome=outcome, accepted=accepted
    )


def _submit(settings: Settings, upload: Upload, access: Access, key: str) -> tuple[str, list[LeftOutImage]]:
    upload = with_json(upload)
    fields = read_fields(SegmentationFields, upload.fields)
    chosen = fields.choose()
    maps = [file for file in upload.files if file.field == REGIONS]
    images_alone = replace(upload, files=[file for file in upload.files if file.field != REGIONS])
    upload = with_fetched(settings, images_alone, fields.urls, MOST_IMAGES)
    if maps and len(maps) != len(upload.files):
        raise InputError(
            f"{counted(len(upload.files), 'image')} came with {counted(len(maps), 'file')} of regions; send one "
            f"{REGIONS} for each image, in the same order"
        )
    regions = {image.path: file.path for image, file in zip(upload.files, maps, strict=False)}
    left_out: list[LeftOutImage] = []
    if fields.leave_out_unusable:
        upload, left_out = _without_unusable(settings, upload)
    names = [file.name for file in upload.files]
    images = [
        InputImage(file.path, file.name, stem, regions=regions.get(file.path))
        for file, stem in zip(upload.files, distinct_stems(names), strict=True)
    ]

    def submit() -> str:
        return submit_segment(
            settings,
            images,
            None if chosen is None else chosen.categories,
            overrides=fields.overrides,
            source=names[0] if len(names) == 1 else f"{len(names)} uploaded images",
            dispatcher=CeleryDispatcher(settings),
            bank=fields.bank,
            colours=() if chosen is None else chosen.colours,
            explain=fields.explain,
            only_propose=fields.only_propose,
            priority=fields.rank,
            idempotency_key=own_idempotency_key(access, key),
            uploaded=True,
        )

    with replace(upload, files=[*upload.files, *maps]).called_by_name():
        return submitted(settings, access, fields.callback, submit), left_out


def _without_unusable(settings: Settings, upload: Upload) -> tuple[Upload, list[LeftOutImage]]:
    """Leave out the images that cannot be used.

    Raises:
        ProblemError: that are all of them (422); its member `left_out` says what is wrong with each.
    """
    rules = settings.input_rules.anywhere()
    usable, left_out = [], []
    for number, file in enumerate(upload.files, 1):
        try:
            check_image(file.path, rules)
        except InputError as error:
            sentence = client_text(upload.with_names(str(error)), settings)
            left_out.append(LeftOutImage(number=number, name=file.name, error=one_line(sentence)))
        else:
            usable.append(file)
    if left_out and not usable:
        more = f" (and {len(left_out) - 1} more of {len(left_out)} files)" if len(left_out) > 1 else ""
        about = {"left_out": [image.model_dump() for image in left_out]}
        raise ProblemError(422, f"{left_out[0].error}{more}", more=about)
    return replace(upload, files=usable), left_out
