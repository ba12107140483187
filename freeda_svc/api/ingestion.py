"""Submitting captions, whose prototypes are added to a bank."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import ijson
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import Field

from freeda_svc.api.access import Access, Submitter, own_idempotency_key
from freeda_svc.api.bodies import documented_body
from freeda_svc.api.context import ServerContext
from freeda_svc.api.fields import SEPARATOR, SubmissionFields, read_fields
from freeda_svc.api.jobs import JobDetails, show_job
from freeda_svc.api.multipart import UploadedFile
from freeda_svc.api.problems import problems
from freeda_svc.api.submitting import (
    Accepted,
    IdempotencyKey,
    Prefer,
    answer_submission,
    seconds_to_wait,
    submitted,
)
from freeda_svc.api.uploads import AcceptedBodies, Upload, received
from freeda_svc.captions import FORMAT_NAMES, Caption, CaptionTally, check_separator, read_captions, take_caption
from freeda_svc.captions.json_events import describe_fault
from freeda_svc.captions.sources import measured_json
from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules
from freeda_svc.jobs import JobState, submit_ingest
from freeda_svc.parameters import EXPECTED
from freeda_svc.settings import Settings
from freeda_svc.text_files import skip_byte_order_mark
from freeda_svc.workers import CeleryDispatcher

MOST_FILES = 100
_JSON, _LINES = ".json", ".jsonl"

BODIES = AcceptedBodies(
    fields=("file",),
    content_types={
        "text/plain": ".txt",
        "text/csv": ".csv",
        "text/tab-separated-values": ".tsv",
        "application/json": _JSON,
        "application/x-ndjson": _LINES,
        "application/jsonl": _LINES,
        "application/vnd.apache.parquet": ".parquet",
        "application/gzip": ".txt.gz",
        "application/octet-stream": "",
    },
    most_files=MOST_FILES,
    expected="multipart/form-data with files called file, or one file as the body with its own type, as text/csv, "
    "text/plain or application/json",
)

router = APIRouter(tags=["ingestion"])


class CaptionFields(SubmissionFields):
    """How captions are read."""

    captions: tuple[str | dict[str, Any], ...] = Field(
        default=(),
        strict=False,
        json_schema_extra={SEPARATOR: "\n", EXPECTED: "a list of texts, or of objects with a text in caption"},
        description="Captions in place of files: texts, or objects with a text in `caption`; in a form JSON, or lines.",
    )
    format: str = Field(
        default="", description=f"Read files as one of {', '.join(FORMAT_NAMES)}; otherwise by their names' endings."
    )
    column: str = Field(
        default="", description="The column or field of captions; otherwise caption, or else text. Or its number."
    )
    separator: str = Field(default="", description="What separates the columns of a table: tab, or one character.")
    any_language: bool = Field(
        default=False, description="Also take captions that look like another language than English."
    )
    limit: int | None = Field(default=None, ge=1, description="Take only so many captions of all files together.")


class AcceptedIngest(Accepted):
    """A job that was accepted and goes on, and what was not taken."""

    left_out: dict[str, int] = Field(description="what was not taken, by reason")
    warnings: list[str] = Field(description="what may not be meant, such as a mask that seems to mark the background")


class IngestDetails(JobDetails):
    """A job that has ended, and what was not taken."""

    left_out: dict[str, int] = Field(description="what was not taken, by reason")
    warnings: list[str] = Field(description="what may not be meant, such as a mask that seems to mark the background")


@dataclass(frozen=True)
class Ingest:
    """What became of a submission.

    Attributes:
        job: its id.
        left_out: what was not taken, by reason.
        warnings: what may not be meant.
    """

    job: str
    left_out: dict[str, int]
    warnings: tuple[str, ...] = ()


@router.post(
    "/v1/captions",
    summary="Add captions to a bank",
    responses={
        202: {"model": AcceptedIngest, "description": "accepted; `Location` says where the job is"},
        **problems(400, 404, 413, 415, 422, 503),
    },
    openapi_extra=documented_body(CaptionFields, BODIES, {"file": "Caption files; also as `files` or `file[]`."}),
)
async def add_captions(
    request: Request,
    response: Response,
    context: ServerContext,
    access: Submitter,
    *,
    prefer: Prefer = [],  # noqa: B006 - FastAPI copies defaults
    idempotency_key: IdempotencyKey = "",
) -> IngestDetails | AcceptedIngest:
    """Submit captions in files of every format that the command line reads, or as JSON.

    A body of type application/json is COCO captions, or a list of texts or of objects. Answers 202 with the job; with
    `Prefer: wait=N` it answers 200 with the job if that ends in time.
    """
    seconds = seconds_to_wait(prefer)
    async with received(request, BODIES) as upload:
        found = await to_thread.run_sync(_submit, context.settings, upload, access, idempotency_key)
    return await answer_ingest(request, response, context, access, found=found, seconds=seconds)


async def answer_ingest(
    request: Request, response: Response, context: ServerContext, access: Access, *, found: Ingest, seconds: int
) -> IngestDetails | AcceptedIngest:
    """Answer a submission that adds to a bank, as ``answer_submission`` does."""
    left_out, warnings = found.left_out, list(found.warnings)

    def outcome() -> IngestDetails:
        job = show_job(context, access, found.job)
        return IngestDetails(**job.model_dump(), left_out=left_out, warnings=warnings)

    def accepted(job: str, state: JobState, location: str) -> AcceptedIngest:
        return AcceptedIngest(job=job, state=state, location=location, left_out=left_out, warnings=warnings)

    return await answer_submission(
        request, response, context, job_id=found.job, seconds=seconds, outcome=outcome, accepted=accepted
    )


def _submit(settings: Settings, upload: Upload, access: Access, key: str) -> Ingest:
    tally = CaptionTally()
    with upload.called_by_name():
        fields = read_fields(CaptionFields, upload.fields)
        check_separator(fields.separator)
        if not upload.files and not fields.captions:
            raise InputError("there are no captions: send a file, or captions as JSON")
        captions = islice(_captions(upload, fields, tally, settings.input_rules.anywhere()), fields.limit)
        names = [file.name for file in upload.files]
        submit = partial(
            submit_ingest,
            settings,
            captions,
            source=", ".join(names) or f"{len(fields.captions)} captions",
            dispatcher=CeleryDispatcher(settings),
            tally=tally,
            bank=fields.bank,
            priority=fields.rank,
            idempotency_key=own_idempotency_key(access, key),
        )
        job_id = submitted(settings, access, fields.callback, submit)
    return Ingest(job_id, dict(tally.left_out))


def _captions(upload: Upload, fields: CaptionFields, tally: CaptionTally, rules: InputRules) -> Iterator[Caption]:
    read = partial(read_captions, any_language=fields.any_language, tally=tally, rules=rules)
    from_files = chain.from_iterable(
        read(path, format_name=name, column=fields.column, separator=fields.separator)
        for path, name in (_as_lines(file, fields.format) for file in upload.files)
    )
    given = (take_caption(text, tally, any_language=fields.any_language) for text in _texts(fields))
    return chain(from_files, (caption for caption in given if caption is not None))


def _texts(fields: CaptionFields) -> Iterator[str]:
    for number, entry in enumerate(fields.captions, start=1):
        text = entry.get(fields.column or "caption") if isinstance(entry, dict) else entry
        if not isinstance(text, str):
            raise InputError(f"captions, entry {number}: expected a text, or an object with a text in caption")
        yield text


def _as_lines(file: UploadedFile, format_name: str) -> tuple[Path, str]:
    """Return a file and its format; one that is a JSON list is written as lines beside it, under its own name."""
    is_json = file.path.suffix.lower() == _JSON or file.content_type == "application/json"
    if format_name or not is_json:
        return file.path, format_name
    lines = file.path.parent / _LINES / file.path.name
    with file.path.open("rb") as source:
        skip_byte_order_mark(source, file.name)
        while source.peek(1)[:1].isspace():
            source.read(1)
        if source.peek(1)[:1] != b"[":
            return file.path, "coco"
        lines.parent.mkdir()
        try:
            with lines.open("w", encoding="utf-8") as target:
                for entry in ijson.items(measured_json(source, file.name), "item", use_float=True):
                    row = {"caption": entry} if isinstance(entry, str) else entry
                    target.write(f"{json.dumps(row)}\n")
        except ijson.JSONError as error:
            raise InputError(f"{file.name} is not valid JSON: {describe_fault(error)}") from error
    return lines, "jsonl"
