"""All results of a job as one archive, made while it is sent."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from freeda_svc.api.access import Reader
from freeda_svc.api.bodies import documented_query
from freeda_svc.api.context import ServerContext
from freeda_svc.api.fields import read_query
from freeda_svc.api.hidden import client_text
from freeda_svc.api.jobs import JobId
from freeda_svc.api.problems import ProblemError, problems
from freeda_svc.api.streams import stream_zip
from freeda_svc.batches import Stems
from freeda_svc.errors import FreedaError
from freeda_svc.jobs import ItemState, job_summary, pictures_of, submitted_images, why_no_results
from freeda_svc.parameters import PieceParameters
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.outputs import SegmentedImage

MOST_JOBS = 200
ERRORS = "errors.txt"
"""In the archive where files of some images could not be made: a line for each."""

router = APIRouter(tags=["results"])


Formats = Annotated[
    list[str],
    Query(
        alias="format",
        description="formats, several times or with commas: mask, overlay, summary, scores-png, scores-npz, "
        "polygons, evidence, evidence-page, coco, label-studio, yolo, voc, index; the first three by default",
    ),
]
ImagePrefix = Annotated[
    str, Query(description="for label-studio: what comes before an image's path in a task", max_length=1000)
]
ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "the archive", "content": {"application/zip": {}}},
    **problems(404, 409, 422, 503),
}


@router.get(
    "/v1/jobs/{job_id}/results.zip",
    summary="Get all results as one archive",
    response_class=StreamingResponse,
    responses=ZIP,
    openapi_extra=documented_query(PieceParameters),
)
def get_archive(
    request: Request,
    context: ServerContext,
    _access: Reader,
    *,
    job_id: JobId,
    formats: Formats = [],  # noqa: B006 - FastAPI copies defaults
    image_prefix: ImagePrefix = "/data/local-files/?d=",
) -> Response:
    """Get the files of all images that are done, as `freeda jobs export` writes them.

    The archive is made while it is sent, so its size is not known before. What could not be made is listed in
    `errors.txt` in it.
    """
    pieces = read_query(PieceParameters, request.query_params)
    options = {"image_prefix": image_prefix, "pieces": pieces}
    return _answer_archive(request, context.settings, [job_id], formats, options)


@router.get(
    "/v1/results.zip",
    summary="Get all results of several jobs as one archive",
    response_class=StreamingResponse,
    responses=ZIP,
    openapi_extra=documented_query(PieceParameters),
)
def get_archive_of_jobs(
    request: Request,
    context: ServerContext,
    _access: Reader,
    *,
    job: Annotated[list[str], Query(description="a job's id, once for each job", min_length=1, max_length=MOST_JOBS)],
    formats: Formats = [],  # noqa: B006 - FastAPI copies defaults
    image_prefix: ImagePrefix = "/data/local-files/?d=",
) -> Response:
    """Get the files of several jobs, such as those of pictures that were too many for one request.

    It is as the archive of one job that has all their images, in the order of the jobs: files of images that are called
    the same get numbers.
    """
    pieces = read_query(PieceParameters, request.query_params)
    options = {"image_prefix": image_prefix, "pieces": pieces}
    return _answer_archive(request, context.settings, job, formats, options)


def _answer_archive(
    request: Request, settings: Settings, job_ids: Sequence[str], formats: Sequence[str], options: dict[str, Any]
) -> Response:
    """Answer the archive of one job or of several.

    Raises:
        NotFoundError: there is no such job.
        InputError: one of them is no segmentation job, a format is unknown, or the images have different categories.
        ProblemError: no image is done (409).
    """
    from freeda_svc.outputs import check_formats, check_one_list  # noqa: PLC0415 - brings numpy

    chosen = check_formats(name.strip() for part in formats for name in part.split(",") if name.strip())
    found = [job_summary(settings, job_id) for job_id in job_ids]
    jobs = list({job.id: job for job in found}.values())
    images = [image for job in jobs for image in submitted_images(settings, job.id)]
    proposing = next((job.id for job in jobs if job.parameters.get("only_propose")), None)
    if proposing is not None:
        raise ProblemError(409, f"job {proposing} only proposed categories for its images; it has no files")
    done = [image for image in images if image.state is ItemState.DONE]
    if not done:
        raise ProblemError(409, why_no_results(jobs[0]))
    if len(jobs) > 1:
        stems = Stems()
        done = [replace(image, stem=stems.take(image.name)) for image in done]
    pictures = pictures_of(settings, done)
    check_one_list([picture for picture in pictures if picture.result.whole], chosen)
    files = _files(settings, pictures, chosen, options) if request.method == "GET" else iter(())
    name = jobs[0].id if len(jobs) == 1 else f"{jobs[0].id}-and-{len(jobs) - 1}-more"
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "Cache-Control": "private, no-store"}
    return StreamingResponse(stream_zip(files), media_type="application/zip", headers=headers)


def _files(
    settings: Settings, pictures: Sequence["SegmentedImage"], formats: Sequence[str], options: dict[str, Any]
) -> Iterator[tuple[str, Path | bytes]]:
    """Make files one image after another, and those for all images at the end; each goes when the next is asked for."""
    from freeda_svc.outputs import write_collections, write_image_files  # noqa: PLC0415 - as above

    errors = []
    with tempfile.TemporaryDirectory(prefix="freeda-zip-") as name:
        folder = Path(name)
        for picture in pictures:
            for one in formats:
                try:
                    written = write_image_files(picture, folder, [one]).values()
                except FreedaError as error:
                    errors.append(f"{picture.image.name}: {client_text(str(error), settings)}")
                    continue
                for path in written:
                    yield path.relative_to(folder).as_posix(), path
                    path.write_bytes(b"")  # its name stays: the index links to what is there
        whole = [picture for picture in pictures if picture.result.whole]
        for one in formats:
            try:
                collected = write_collections(whole, folder, [one], **options)
            except FreedaError as error:
                errors.append(f"{one}: {client_text(str(error), settings)}")
                continue
            for path in collected:
                yield path.relative_to(folder).as_posix(), path
                path.unlink()
    if errors:
        yield ERRORS, "".join(f"{line}\n" for line in errors).encode()
