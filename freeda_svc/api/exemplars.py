"""Submitting a person's own images with masks, whose prototypes are added to a bank."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import Field

from freeda_svc.api.access import Access, Submitter, own_idempotency_key
from freeda_svc.api.advice import words_for_http
from freeda_svc.api.bodies import documented_body
from freeda_svc.api.context import ServerContext
from freeda_svc.api.fields import ImageFields, read_fields
from freeda_svc.api.image_urls import with_fetched
from freeda_svc.api.ingestion import AcceptedIngest, Ingest, IngestDetails, answer_ingest
from freeda_svc.api.multipart import UploadedFile, plain_name
from freeda_svc.api.problems import problems
from freeda_svc.api.submitting import IdempotencyKey, Prefer, seconds_to_wait, submitted
from freeda_svc.api.uploads import JSON, AcceptedBodies, Upload, received, with_json
from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules
from freeda_svc.jobs import submit_exemplars
from freeda_svc.parameters import Model
from freeda_svc.prototypes import (
    AnnotationTally,
    MarkedImage,
    read_annotated_images,
    read_marked_images,
    read_segmented_image,
)
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher

MOST_FILES = 2000
IMAGE, MASK, ANNOTATIONS = "image", "mask", "annotations"

BODIES = AcceptedBodies(
    fields=(IMAGE, MASK, ANNOTATIONS),
    content_types={JSON: ".json"},
    most_files=MOST_FILES,
    expected="multipart/form-data with files called image and mask, or JSON that names urls",
)

router = APIRouter(tags=["ingestion"])


class MarkedObject(Model):
    """What one image of the form shows."""

    image: str = Field(description="The image, by the name of its file.")
    segmentation: Any = Field(default=None, description="What is marked in it: polygons or runs, as COCO has them.")
    mask: str = Field(default="", description="In place of a segmentation: its mask, by the name of its file.")
    noun: str = Field(default="", description="What it is; that of the form when empty.")
    caption: str = Field(default="", description="A sentence about the image; that of the form when empty.")


class ExemplarFields(ImageFields):
    """What images show, and where."""

    noun: str = Field(default="", description="What is marked in the images.")
    caption: str = Field(default="", description="A sentence about the images; a photo of the noun when empty.")
    segmentation: Any = Field(
        default=None,
        description="In place of a mask, for one image: polygons (lists x, y, x, y, ...) or runs, as COCO has them.",
    )
    exemplars: tuple[MarkedObject, ...] = Field(
        default=(), strict=False, description="For several images: what each of them shows, by masks or segmentations."
    )
    nouns: tuple[str, ...] = Field(
        default=(), strict=False, description="With annotations: only these categories; all when empty."
    )
    take_crowds: bool = Field(default=False, description="With annotations: also those that are marked as crowds.")
    drawn_on: Literal["upright", "stored"] | None = Field(
        default=None,
        description="What was drawn on where images have an EXIF orientation: the upright picture, or stored pixels.",
    )
    source: str = Field(
        default="",
        description="What the job's list calls the images, such as the name of a data set; otherwise their own.",
    )


@router.post(
    "/v1/exemplars",
    summary="Add your own images with masks to a bank",
    responses={
        202: {"model": AcceptedIngest, "description": "accepted; `Location` says where the job is"},
        **problems(400, 404, 413, 415, 422, 503),
    },
    openapi_extra=documented_body(
        ExemplarFields,
        BODIES,
        {
            IMAGE: "The images.",
            MASK: "Their masks in the same order, as large as they are, not zero where the object is; as PNG.",
            ANNOTATIONS: "In place of masks: one COCO file whose categories and segmentations are taken, of images by "
            "their file names.",
        },
        fields_as_json=True,
    ),
)
async def add_exemplars(
    request: Request,
    response: Response,
    context: ServerContext,
    access: Submitter,
    *,
    prefer: Prefer = [],  # noqa: B006 - FastAPI copies defaults
    idempotency_key: IdempotencyKey = "",
) -> IngestDetails | AcceptedIngest:
    """Teach a bank a noun by images and what is marked in them: by masks, segmentations, or a COCO file.

    Images are files of the form, or `urls` in a form or in JSON names them; then each is called as its URL ends.
    Answers 202 with the job; with `Prefer: wait=N` it answers 200 with the job if that ends in time.
    """
    seconds = seconds_to_wait(prefer)
    async with received(request, BODIES) as upload:
        found = await to_thread.run_sync(_submit, context.settings, upload, access, idempotency_key)
    return await answer_ingest(request, response, context, access, found=found, seconds=seconds)


def _submit(settings: Settings, upload: Upload, access: Access, key: str) -> Ingest:
    tally, doubts = AnnotationTally(), list[str]()
    upload = with_json(upload)
    fields = read_fields(ExemplarFields, upload.fields)
    upload = with_fetched(settings, upload, fields.urls, MOST_FILES, IMAGE)
    with upload.called_by_name():
        rules = settings.input_rules.anywhere()
        images, masks, annotations = (
            [file for file in upload.files if file.field == field] for field in (IMAGE, MASK, ANNOTATIONS)
        )
        names = [file.name for file in annotations or images]
        submit = partial(
            submit_exemplars,
            settings,
            _marked(fields, images, masks, annotations, rules=rules, tally=tally, doubts=doubts),
            source=plain_name(fields.source) if fields.source else ", ".join(names),
            dispatcher=CeleryDispatcher(settings),
            left_out=lambda: tally.left_out,
            bank=fields.bank,
            priority=fields.rank,
            idempotency_key=own_idempotency_key(access, key),
            uploaded=True,
        )
        job_id = submitted(settings, access, fields.callback, submit)
    warnings = tuple(words_for_http(upload.with_names(line)) for line in (*doubts, *tally.lines()))
    return Ingest(job_id, dict(tally.left_out), warnings)


def _marked(
    fields: ExemplarFields,
    images: list[UploadedFile],
    masks: list[UploadedFile],
    annotations: list[UploadedFile],
    *,
    rules: InputRules,
    tally: AnnotationTally,
    doubts: list[str],
) -> Iterator[MarkedImage]:
    """Read what is marked, in the one way in which it is given.

    Raises:
        InputError: it is given in no way, or in several; or as the readers say.
    """
    ways = {
        "masks": bool(masks) and not fields.exemplars,
        "segmentation": fields.segmentation is not None,
        "exemplars": bool(fields.exemplars),
        ANNOTATIONS: bool(annotations),
    }
    chosen = [name for name, is_given in ways.items() if is_given]
    if not images:
        raise InputError("no images were given; give at least one image with its mask")
    if len(chosen) != 1:
        given = f"it is given by {' and by '.join(chosen)}" if chosen else "nothing says it"
        raise InputError(f"say what is marked by masks, segmentation, exemplars or annotations; {given}")
    if annotations:
        yield from _annotated(fields, images, annotations, rules, tally)
        return
    if fields.nouns or fields.take_crowds:
        raise InputError("nouns and take_crowds go with annotations")
    if fields.exemplars:
        yield from _listed(fields, _by_name(images), _by_name(masks, "masks"), rules, doubts)
    elif masks:
        yield from read_marked_images(
            fields.noun,
            [file.path for file in images],
            [file.path for file in masks],
            fields.caption,
            drawn_on=fields.drawn_on,
            rules=rules,
            doubts=doubts,
        )
    else:
        if len(images) != 1:
            raise InputError(f"segmentation is for one image, not for {len(images)}; use exemplars")
        yield read_segmented_image(
            fields.noun, images[0].path, fields.segmentation, fields.caption, drawn_on=fields.drawn_on, rules=rules
        )


def _listed(
    fields: ExemplarFields,
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    rules: InputRules,
    doubts: list[str],
) -> Iterator[MarkedImage]:
    """Read what is marked, each by its own mask or segmentation."""
    unused = masks.keys() - {one.mask for one in fields.exemplars}
    if unused:
        raise InputError(f"exemplars does not say of which image {min(unused)!r} is the mask")
    for one in fields.exemplars:
        if one.image not in images:
            raise InputError(f"exemplars names the image {one.image!r}, which is not in the form")
        if one.mask and one.mask not in masks:
            raise InputError(f"exemplars names the mask {one.mask!r}, which is not in the form")
        if bool(one.mask) == (one.segmentation is not None):
            raise InputError(f"exemplars: say what is marked in {one.image!r} by either mask or segmentation")
        noun, caption = one.noun or fields.noun, one.caption or fields.caption
        image = images[one.image]
        if one.mask:
            yield from read_marked_images(
                noun, [image], [masks[one.mask]], caption, drawn_on=fields.drawn_on, rules=rules, doubts=doubts
            )
        else:
            yield read_segmented_image(noun, image, one.segmentation, caption, drawn_on=fields.drawn_on, rules=rules)


def _annotated(
    fields: ExemplarFields,
    images: list[UploadedFile],
    annotations: list[UploadedFile],
    rules: InputRules,
    tally: AnnotationTally,
) -> Iterator[MarkedImage]:
    if len(annotations) != 1 or fields.noun or fields.caption:
        raise InputError("annotations is one file, which names nouns and captions; leave noun and caption out")
    folder = annotations[0].path.parent / "images"
    for name, path in _by_name(images).items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    yield from read_annotated_images(
        annotations[0].path,
        folder,
        fields.nouns,
        tally,
        take_crowds=fields.take_crowds,
        drawn_on=fields.drawn_on,
        rules=rules,
    )


def _by_name(files: list[UploadedFile], called: str = "images") -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        if found.setdefault(file.name, file.path) != file.path:
            raise InputError(f"two {called} are called {file.name!r}; give each a name of its own")
    return found
