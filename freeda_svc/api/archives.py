"""All results of a job as one archive, made while it is sent."""

import tempfile
from collections.abc import Iterator, Sequence
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
from freeda_svc.errors import FreedaError
from freeda_svc.jobs import ItemState, job_summary, pictures_of, submitted_images, why_no_results
from freeda_svc.parameters import PieceParameters
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.outputs import SegmentedImage

ERRORS = "errors.txt"
"""In the archive where files of some images could not be made: a line for each."""

router = APIRouter(tags=["results"])


@router.get(
    "/v1/jobs/{job_id}/results.zip",
    summary="Get all results as one archive",
    response_class=StreamingResponse,
    responses={
        200: {"description": "the archive", "content": {"application/zip": {}}},
        **problems(404, 409, 422, 503),
    },
    openapi_extra=documented_query(PieceParameters),
)
def get_archive(
    request: Request,
    context: ServerContext,
    _access: Reader,
    *,
    job_id: JobId,
    format: Annotated[  # noqa: A002 - what the command line calls it
        list[str],
        Query(
            description="formats, several times or with commas: mask, overlay, summary, scores-png, scores-npz, "
            "polygons, evidence, evidence-page, coco, label-studio, yolo, voc, index; the first three by default"
        ),
    ] = [],  # noqa: B006 - FastAPI copies defaults
    image_prefix: Annotated[
        str, Query(description="for label-studio: what comes before an image's path in a task", max_length=1000)
    ] = "/data/local-files/?d=",
) -> Response:
    """Get the files of all images that are done, as `freeda jobs export` writes them.

    The archive is made while it is sent, so its size is not known before. What could not be made is listed in
    `errors.txt` in it.
    """
    from freeda_svc.outputs import check_formats, check_one_list  # noqa: PLC0415 - brings numpy

    settings = context.settings
    pieces = read_query(PieceParameters, request.query_params)
    chosen = check_formats(name.strip() for part in format for name in part.split(",") if name.strip())
    job = job_summary(settings, job_id)
    images = submitted_images(settings, job.id)
    if job.parameters.get("only_propose"):
        raise ProblemError(409, f"job {job.id} only proposed categories for its images; it has no files")
    done = [image for image in images if image.state is ItemState.DONE]
    if not done:
        raise ProblemError(409, why_no_results(job))
    pictures = pictures_of(settings, done)
    check_one_list([picture for picture in pictures if picture.result.whole], chosen)
    options = {"image_prefix": image_prefix, "pieces": pieces}
    files = _files(settings, pictures, chosen, options) if request.method == "GET" else iter(())
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.zip"', "Cache-Control": "private, no-store"}
    return StreamingResponse(stream_zip(files), media_type="application/zip", headers=headers)


router.head("/v1/jobs/{job_id}/results.zip", include_in_schema=False)(get_archive)


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
