"""Accepting jobs: everything is checked, then the job and all its items are written in one transaction, then sent."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from freeda_svc.captions.caption import Caption
from freeda_svc.captions.spool import CaptionSpool
from freeda_svc.captions.tally import CaptionTally
from freeda_svc.errors import InputError
from freeda_svc.jobs.banks import BANK, bank_of_new_job
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.dispatch import Dispatcher, send_items
from freeda_svc.jobs.input_images import check_images, keep_image
from freeda_svc.jobs.kept_exemplars import check_exemplars, keep_exemplar
from freeda_svc.jobs.overrides import apply_overrides, check_categories
from freeda_svc.jobs.states import ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.packs.description import PackDescription, read_pack_parameters
from freeda_svc.settings import Settings, prepare_home

if TYPE_CHECKING:
    from freeda_svc.prototypes.exemplar_files import MarkedImage

ROWS_AT_ONCE = 1000
EXEMPLARS_PER_ITEM = 8


def submit_ingest(
    settings: Settings,
    captions: Iterable[Caption],
    *,
    source: str,
    dispatcher: Dispatcher,
    tally: CaptionTally | None = None,
    bank: str = "",
) -> str:
    """Accept captions whose prototypes are to be added to the bank.

    Args:
        settings: the installation; ``captions_per_item`` says how they are cut.
        captions: set aside on disk to the last one before anything is accepted, so it may be a stream of any length;
            equal ones are taken once.
        source: where they came from, for people.
        dispatcher: takes the messages.
        tally: what the reader of ``captions`` counts in; kept with the job.
        bank: name of the bank to add to; that of the settings when empty.

    Returns:
        The job's id. The job will be done even when its messages could not be sent now.

    Raises:
        InputError: there is no caption, or the pack is not valid.
        NotFoundError: there is no such pack or bank.
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    counts = tally if tally is not None else CaptionTally()
    with CaptionSpool() as spool:
        spool.fill(captions, counts)
        if not len(spool):
            raise InputError(f"{source}: there are no captions to ingest")
        parameters = {BANK: chosen, "captions": len(spool), "left_out": counts.left_out}
        job = _new_job(settings, pack, JobKind.INGEST, source, parameters)
        return _submit(settings, dispatcher, job, _caption_items(spool, settings.captions_per_item))


def _caption_items(captions: Iterable[Caption], size: int) -> Iterator[dict[str, Any]]:
    rest = iter(captions)
    while part := [caption.text for caption in islice(rest, size)]:
        yield {"captions": part}


def submit_exemplars(
    settings: Settings,
    exemplars: Iterable["MarkedImage"],
    *,
    source: str,
    dispatcher: Dispatcher,
    left_out: Callable[[], Mapping[str, int]] = dict,
    bank: str = "",
) -> str:
    """Accept a person's own images and masks whose prototypes are to be added to the bank.

    Args:
        settings: the installation.
        exemplars: read to the last one before anything is accepted; images and masks are copied, so they may change
            or go afterwards.
        source: where they came from, for people.
        dispatcher: takes the messages.
        left_out: asked at the end what the reader of ``exemplars`` left out, by reason; kept with the job.
        bank: name of the bank to add to; that of the settings when empty.

    Returns:
        The job's id. The job will be done even when its messages could not be sent now.

    Raises:
        InputError: an exemplar is not usable, there is none, or the pack is not valid.
        NotFoundError: there is no such pack or bank.
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    checked = check_exemplars(exemplars)
    prepare_home(settings)
    rest = iter([keep_exemplar(settings, exemplar) for exemplar in checked])
    inputs: list[dict[str, Any]] = []
    while part := list(islice(rest, EXEMPLARS_PER_ITEM)):
        inputs.append({"exemplars": part})
    parameters = {BANK: chosen, "exemplars": len(checked), "left_out": dict(left_out())}
    return _submit(settings, dispatcher, _new_job(settings, pack, JobKind.EXEMPLARS, source, parameters), inputs)


def submit_segment(
    settings: Settings,
    images: Sequence[Path],
    categories: Sequence[Mapping[str, str | None]],
    *,
    overrides: Mapping[str, Any] | None = None,
    source: str = "",
    dispatcher: Dispatcher,
    bank: str = "",
) -> str:
    """Accept images to be segmented.

    Args:
        settings: the installation.
        images: files; they are copied, so they may change or go afterwards. One image is one item.
        categories: mappings with ``name`` and optionally ``text`` and ``prototype_text``.
        overrides: parameters that differ from the pack's, as ``apply_overrides`` takes them.
        source: where the images came from, for people; their folder when empty.
        dispatcher: takes the messages.
        bank: name of the bank whose prototypes are used; that of the settings when empty.

    Returns:
        The job's id. The job will be done even when its messages could not be sent now.

    Raises:
        InputError: an image, a category or a parameter is not usable, or the pack is not valid.
        NotFoundError: there is no such pack or bank.
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    changed = dict(overrides or {})
    apply_overrides(pack.parameters.segmentation, changed)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    parameters = {BANK: chosen, "categories": check_categories(categories), "overrides": changed}
    check_images(images)
    prepare_home(settings)
    inputs = [
        {"image": keep_image(settings, image), "name": image.name, "path": str(image.absolute())} for image in images
    ]
    job = _new_job(settings, pack, JobKind.SEGMENT, source or str(images[0].absolute().parent), parameters)
    return _submit(settings, dispatcher, job, inputs)


def _new_job(settings: Settings, pack: PackDescription, kind: JobKind, source: str, parameters: dict[str, Any]) -> Job:
    return Job(
        id=secrets.token_hex(6),
        kind=kind,
        state=JobState.QUEUED,
        source=source,
        pack=settings.pack,
        fingerprint=pack.fingerprint,
        parameters=parameters,
    )


def _submit(settings: Settings, dispatcher: Dispatcher, job: Job, inputs: Iterable[dict[str, Any]]) -> str:
    prepare_home(settings)
    dispatcher.check()
    with writing(settings) as session:
        session.add(job)
        session.flush()
        numbered = enumerate(inputs, start=1)
        while part := list(islice(numbered, ROWS_AT_ONCE)):
            rows = [
                {"job_id": job.id, "number": number, "state": ItemState.QUEUED, "input": given}
                for number, given in part
            ]
            session.execute(insert(WorkItem), rows)
    with reading(settings) as session:
        item_ids = session.scalars(select(WorkItem.id).where(WorkItem.job_id == job.id).order_by(WorkItem.id)).all()
    send_items(settings, dispatcher, JobKind(job.kind), item_ids)
    return job.id
