"""Results of segmentation jobs: what came out of each image, and its files in every format."""

import mimetypes
import tempfile
import threading
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from freeda_svc.api.access import Reader
from freeda_svc.api.context import ServerContext
from freeda_svc.api.hidden import client_text, source_name, without_server
from freeda_svc.api.jobs import JobId
from freeda_svc.api.pages import NumberCursor, number_after
from freeda_svc.api.problems import ProblemError, problems
from freeda_svc.api.streams import answer_file
from freeda_svc.artifacts import open_artifacts
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs import (
    ItemState,
    JobState,
    SubmittedImage,
    pictures_of,
    segmented_items,
    submitted_images,
)
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.outputs import SegmentedImage

MOST_RESULTS = 1000
MADE_AT_ONCE = 4
"""So many files are made at once: each takes the memory of its image several times."""
LARGEST_NUMBER = 2**31 - 1
IMAGE, IMAGE_PNG = "image", "image.png"
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
"""A page of evidence is read by itself: its scripts are none of this server's, and can ask it nothing."""
_CONTENT: dict[str, Any] = {
    kind: {}
    for kind in (
        "image/*",
        "application/json",
        "application/geo+json",
        "application/zip",
        "text/html",
        "application/octet-stream",
    )
}
"""Of files, for the description of the API."""
_TYPES = {".geojson": "application/geo+json", ".npz": "application/zip", ".json": "application/json"}

router = APIRouter(tags=["results"])
_making = threading.BoundedSemaphore(MADE_AT_ONCE)


class ResultItem(BaseModel):
    """What came out of one image."""

    number: int = Field(description="of the image within its job, from 1")
    name: str = Field(description="the image's file name")
    stem: str = Field(description="what its files are called in archives, without their endings")
    sha256: str = Field(description="of the image's file, in hexadecimal digits: who has it need not fetch it")
    regions_sha256: str = Field(default="", description="of the file with its regions; empty where it came without")
    state: ItemState
    error: str = Field(description="why it failed; empty when it did not")
    summary: dict[str, Any] | None = Field(
        description="the command line's summary: categories with shares and scores, words, parameters; null until done"
    )
    files: dict[str, str] = Field(description="where its files are, by format; empty until it is done")


class JobResults(BaseModel):
    """Results of a segmentation job, as far as they are there."""

    job: str
    state: JobState
    items: list[ResultItem] = Field(description="in the order of submission")
    next: str | None = Field(None, description="ask with `after` set to it for the next page; null at the end")


@router.get("/v1/jobs/{job_id}/results", summary="List the results of a job", responses=problems(404, 422, 503))
def list_results(
    context: ServerContext,
    _access: Reader,
    job_id: JobId,
    limit: Annotated[int, Query(description="how many at most", ge=1, le=MOST_RESULTS)] = 100,
    after: NumberCursor = "",
) -> JobResults:
    """List what came out of each image, page by page; while the job is open, what is done so far."""
    return results_of_job(context.settings, job_id, limit=limit, after=number_after(after))


def results_of_job(settings: Settings, job_id: str, *, limit: int = MOST_RESULTS, after: int = 0) -> JobResults:
    """Return a page of the results of a segmentation job.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        limit: how many images at most.
        after: only images with a higher number.

    Raises:
        NotFoundError: there is no such job, or it is not a segmentation job.
    """
    from freeda_svc.outputs import ENDINGS, EVIDENCE_FORMATS  # noqa: PLC0415 - brings numpy and Pillow

    job = segmented_items(settings, job_id, limit=limit + 1, after=after)
    formats = [name for name in ENDINGS if job.parameters.get("explain") or name not in EVIDENCE_FORMATS]
    items = []
    for image, item in job.items[:limit]:
        base = f"/v1/jobs/{job.job}/results/{item.number}."
        has_files = item.state is ItemState.DONE and not job.parameters.get("only_propose")
        files = {name: f"{base}{ENDINGS[name][1:]}" for name in formats} if has_files else {}
        items.append(
            ResultItem(
                number=item.number,
                name=source_name(item.name),
                stem=image.stem,
                sha256=image.content,
                regions_sha256=image.regions,
                state=item.state,
                error=client_text(item.error, settings),
                summary=item.result if item.state is ItemState.DONE else None,
                files={**files, IMAGE: f"{base}{IMAGE}"},
            )
        )
    following = str(items[-1].number) if len(job.items) > limit else None
    return JobResults(job=job.job, state=job.state, items=items, next=following)


@router.get(
    "/v1/jobs/{job_id}/results/{number:int}.{ending}",
    summary="Get a file of a result",
    response_class=Response,
    responses={
        200: {"description": "the file", "content": _CONTENT},
        206: {"description": "the part that `Range` asks for", "content": {**_CONTENT, "multipart/byteranges": {}}},
        304: {"description": "the client has it: `If-None-Match` named its `ETag`"},
        **problems(404, 410, 412, 416, 422, 503),
    },
)
def get_result(
    request: Request,
    context: ServerContext,
    _access: Reader,
    *,
    job_id: JobId,
    number: Annotated[int, PathParameter(description="of the image within its job, from 1", ge=1, le=LARGEST_NUMBER)],
    ending: Annotated[
        str,
        PathParameter(
            description="mask.png, overlay.png, json (the summary), scores.png, scores.npz, geojson, evidence.json, "
            "evidence.html; image (the file that was submitted), image.png (the pixels that were segmented)"
        ),
    ],
) -> Response:
    """Get one file of an image that is done, made from what is kept of it.

    An image that is not done yet, or failed, is a 404; one whose result was removed from the store, a 410.
    """
    settings = context.settings
    image = _image(settings, job_id, number)
    if ending == IMAGE:
        return _answer_submitted(request, settings, image)
    name = _format_of(ending)
    if image.state is not ItemState.DONE:
        raise ProblemError(404, f"image {number} of job {image.job} is {image.state}: it has no result")
    (picture,) = pictures_of(settings, [image])
    kind = PurePosixPath(ending).suffix or f".{ending}"
    folder = tempfile.TemporaryDirectory(prefix="freeda-result-")
    try:
        with _making:
            path = _make(picture, name, Path(folder.name))
    except BaseException as error:
        folder.cleanup()
        if isinstance(error, NotFoundError):
            gone = 404 if name.startswith("evidence") and picture.result.whole else 410
            raise ProblemError(gone, without_server(str(error), settings)) from error
        raise
    return answer_file(
        request,
        path,
        name=f"{image.stem.replace('/', '-')}.{ending}",  # a/1 and b/1 stay apart in a folder of downloads
        media_type=_TYPES.get(kind) or mimetypes.types_map[kind],
        made_in=folder,
        headers={"Content-Security-Policy": PAGE_POLICY} if kind == ".html" else {},
    )


def _image(settings: Settings, job_id: str, number: int) -> SubmittedImage:
    found = submitted_images(settings, job_id, after=number - 1, limit=1)
    if not found or found[0].number != number:
        raise NotFoundError(f"job {job_id} has no image {number}; its results are listed at /results")
    return found[0]


def _format_of(ending: str) -> str:
    """Return the format that an ending means; that of the pixels is called as its ending."""
    from freeda_svc.outputs import ENDINGS  # noqa: PLC0415 - as above

    formats = {known[1:]: name for name, known in ENDINGS.items()} | {IMAGE_PNG: IMAGE_PNG}
    if ending not in formats:
        raise ProblemError(404, f"there is no result that ends in {ending!r}; there are {', '.join([*formats, IMAGE])}")
    return formats[ending]


def _make(picture: "SegmentedImage", name: str, folder: Path) -> Path:
    from freeda_svc.outputs import write_image_files  # noqa: PLC0415 - as above

    if name == IMAGE_PNG:
        from PIL import Image  # noqa: PLC0415 - as above

        path = folder / IMAGE_PNG
        Image.fromarray(picture.pixels()).save(path, compress_level=1)
        return path
    named = replace(picture, image=replace(picture.image, stem="result"))
    (path,) = write_image_files(named, folder, [name]).values()
    return path


def _answer_submitted(request: Request, settings: Settings, image: SubmittedImage) -> Response:
    """Answer an image as it was submitted."""
    try:
        path = open_artifacts(settings).local(image.kept)
    except NotFoundError:
        path = settings.artifacts_folder / image.kept
    if not path.is_file():
        raise ProblemError(410, f"the image {image.number} of job {image.job} is gone from the artifacts")
    media_type = mimetypes.types_map.get(path.suffix, "")
    return answer_file(
        request,
        path,
        name=PurePosixPath(source_name(image.name)).name,
        media_type=media_type if media_type.startswith("image/") else "application/octet-stream",
    )
