"""What can be asked for: everything is checked and set aside, then accepted as a job with items."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeda_svc.batches import InputImage, check_images, check_region_files, name_images
from freeda_svc.batching import batched
from freeda_svc.captions import Caption, CaptionSpool, CaptionTally
from freeda_svc.errors import InputError
from freeda_svc.jobs.acceptance import accept_job, check_key, new_job, request_digest
from freeda_svc.jobs.banks import BANK, bank_of_new_job
from freeda_svc.jobs.dispatch import Dispatcher
from freeda_svc.jobs.input_images import keep_image
from freeda_svc.jobs.kept_exemplars import check_exemplars, keep_exemplar
from freeda_svc.jobs.segmentation_requests import segmentation_request
from freeda_svc.jobs.states import JobKind, Priority
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import Category, Colour
from freeda_svc.settings import Settings, prepare_home

if TYPE_CHECKING:
    from freeda_svc.prototypes import MarkedImage

EXEMPLARS_PER_ITEM = 8


def submit_ingest(
    settings: Settings,
    captions: Iterable[Caption],
    *,
    source: str,
    dispatcher: Dispatcher,
    tally: CaptionTally | None = None,
    bank: str = "",
    priority: Priority = Priority.NORMAL,
    idempotency_key: str = "",
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
        priority: of waiting items those of a higher priority begin first.
        idempotency_key: the client's own name for this request: asking again under it makes no second job.

    Returns:
        The job's id. The job will be done even when its messages could not be sent now.

    Raises:
        InputError: there is no caption, the pack is not valid, or the key was used for another request.
        NotFoundError: there is no such pack or bank.
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    key = check_key(idempotency_key)
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    counts = tally if tally is not None else CaptionTally()
    with CaptionSpool() as spool:
        spool.fill(captions, counts)
        if not len(spool):
            raise InputError(f"{source}: there are no captions to ingest")
        parameters = {BANK: chosen, "captions": len(spool), "left_out": counts.left_out}
        job = new_job(
            settings, pack.fingerprint, JobKind.INGEST, source=source, parameters=parameters, priority=priority
        )
        asked = _asked(settings, JobKind.INGEST, bank, priority, {})
        digest = request_digest(asked, (caption.text for caption in spool)) if key else ""
        inputs = _caption_items(spool, settings.captions_per_item)
        return accept_job(settings, dispatcher, job, inputs, key=key, digest=digest)


def _caption_items(captions: Iterable[Caption], size: int) -> Iterator[dict[str, Any]]:
    for part in batched(captions, size):
        yield {"captions": [caption.text for caption in part]}


def submit_exemplars(
    settings: Settings,
    exemplars: Iterable["MarkedImage"],
    *,
    source: str,
    dispatcher: Dispatcher,
    left_out: Callable[[], Mapping[str, int]] = dict,
    bank: str = "",
    priority: Priority = Priority.NORMAL,
    idempotency_key: str = "",
    uploaded: bool = False,
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
        priority: of waiting items those of a higher priority begin first.
        idempotency_key: the client's own name for this request: asking again under it makes no second job.
        uploaded: the files came over the network: they may lie anywhere.

    Returns:
        The job's id. The job will be done even when its messages could not be sent now.

    Raises:
        InputError: an exemplar is not usable, there is none, the pack is not valid, or the key was used for another
            request.
        NotFoundError: there is no such pack or bank.
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    key = check_key(idempotency_key)
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    checked = check_exemplars(exemplars)
    prepare_home(settings)
    rules = settings.input_rules.anywhere() if uploaded else settings.input_rules
    kept = [keep_exemplar(settings, exemplar, rules) for exemplar in checked]
    inputs = [{"exemplars": list(part)} for part in batched(kept, EXEMPLARS_PER_ITEM)]
    parameters = {BANK: chosen, "exemplars": len(checked), "left_out": dict(left_out())}
    job = new_job(
        settings, pack.fingerprint, JobKind.EXEMPLARS, source=source, parameters=parameters, priority=priority
    )
    digest = request_digest(_asked(settings, JobKind.EXEMPLARS, bank, priority, {}), kept) if key else ""
    return accept_job(settings, dispatcher, job, inputs, key=key, digest=digest)


def submit_segment(
    settings: Settings,
    images: Sequence[Path | InputImage],
    categories: Iterable[Category | Mapping[str, Any] | str] | None,
    *,
    overrides: Mapping[str, Any] | None = None,
    source: str = "",
    dispatcher: Dispatcher,
    bank: str = "",
    colours: Iterable[Colour] = (),
    explain: bool = False,
    only_propose: bool = False,
    priority: Priority = Priority.NORMAL,
    idempotency_key: str = "",
    uploaded: bool = False,
) -> str:
    """Accept images to be segmented.

    Args:
        settings: the installation.
        images: files, perhaps with names for their results, and files of regions; they are copied, so they may change
            or go afterwards. One image is one item.
        categories: what to look for, as ``read_category`` takes each; None lets the bank propose some for each image.
        overrides: parameters that differ from the pack's, as ``SegmentationOverrides`` has them.
        source: where the images came from, for people; when empty, the image, or the folder that all lie below.
        dispatcher: takes the messages.
        bank: name of the bank whose prototypes are used; that of the settings when empty.
        colours: RGB of the first categories, where they are to have other colours than usual.
        explain: whether evidence is kept of each image.
        only_propose: with no categories: say what the bank proposes for each image, and segment none.
        priority: of waiting items those of a higher priority begin first.
        idempotency_key: the client's own name for this request: asking again under it makes no second job.
        uploaded: the files came over the network: they may lie anywhere, and the job keeps their names only.

    Returns:
        The job's id. The job will be done even when its messages could not be sent now.

    Raises:
        InputError: an image, its regions, a category or a parameter is not usable, the pack is not valid, or the key
            was used for another request.
        NotFoundError: there is no such pack or bank.
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    key = check_key(idempotency_key)
    request = segmentation_request(
        settings,
        categories,
        overrides=overrides,
        bank=bank,
        colours=colours,
        explain=explain,
        only_propose=only_propose,
    )
    paths = [image.path if isinstance(image, InputImage) else image for image in images]
    rules = settings.input_rules.anywhere() if uploaded else settings.input_rules
    check_images(paths, rules)
    named = _named(images)
    check_region_files(named, request.segmentation.regions.overlaps, rules)
    prepare_home(settings)
    inputs = [
        {
            "image": keep_image(settings, image.path, rules),
            "name": image.name,
            "stem": image.stem,
            **({} if uploaded else {"path": str(image.path.absolute())}),
            **({} if image.proposals is None else {"proposals": image.proposals}),
            **({} if image.regions is None else {"regions": keep_image(settings, image.regions, rules)}),
        }
        for image in named
    ]
    source = source or _source_of(paths)
    job = new_job(
        settings,
        request.pack.fingerprint,
        JobKind.SEGMENT,
        source=source,
        parameters=request.parameters,
        priority=priority,
    )
    asked = _asked(settings, JobKind.SEGMENT, bank, priority, request.parameters)
    names = ("image", "name", "stem", "regions")
    parts = ([given[name] for name in names if name in given] for given in inputs)
    digest = request_digest(asked, parts) if key else ""
    return accept_job(settings, dispatcher, job, inputs, key=key, digest=digest)


def _source_of(paths: Sequence[Path]) -> str:
    """Return where images came from: the one image, or the folder that all of them lie below."""
    places = [path.absolute() for path in paths]
    return str(places[0]) if len(places) == 1 else os.path.commonpath([place.parent for place in places])


def _named(images: Sequence[Path | InputImage]) -> list[InputImage]:
    by_path = iter(name_images(image for image in images if isinstance(image, Path)))
    return [image if isinstance(image, InputImage) else next(by_path) for image in images]


def _asked(
    settings: Settings, kind: JobKind, bank: str, priority: Priority, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """What a request says of all its items; what it says of each comes beside it."""
    named = {"kind": kind, "pack": settings.pack, BANK: bank or settings.bank, "priority": int(priority)}
    return {**parameters, **named}
