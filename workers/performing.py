"""What is done for one item: the method is called and its result written down."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from freeda_svc.errors import InputError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.banks import bank_of_job
from freeda_svc.jobs.claims import Claim
from freeda_svc.jobs.kept_exemplars import read_kept_exemplar
from freeda_svc.jobs.overrides import apply_overrides
from freeda_svc.jobs.results import MASK, OVERLAY, SUMMARY, result_folder
from workers.held import Held

if TYPE_CHECKING:
    from freeda_svc.prototypes.builder import BuildResult

OUTSIDE = "prototypes of nouns that the pack's models do not know"


def perform(held: Held, claim: Claim) -> dict[str, Any]:
    """Do what an item asks for.

    Args:
        held: models and bank of this process.
        claim: the item in hand.

    Returns:
        Its result, for JSON.

    Raises:
        FreedaError: it cannot be done.
    """
    if claim.fingerprint != held.pack.fingerprint:
        raise InputError(
            f"the job was submitted for pack {claim.pack}, this worker has {held.settings.pack}: "
            "start the worker with the job's pack, then retry the job"
        )
    return _PERFORMERS[claim.kind](held, claim)


def _ingest(held: Held, claim: Claim) -> dict[str, Any]:
    from freeda_svc.captions.caption import make_caption  # noqa: PLC0415 - the parent process needs no method

    captions = [caption for text in claim.input["captions"] if (caption := make_caption(text)) is not None]
    bank = held.bank(bank_of_job(claim.parameters))
    built = held.builder.build(captions, job=claim.job_id, artifacts=held.settings.artifacts_folder)
    new = bank.add(built.prototypes)
    return {"captions": len(captions), "images": built.images, **_counts(built, new)}


def _add_exemplars(held: Held, claim: Claim) -> dict[str, Any]:
    bank = held.bank(bank_of_job(claim.parameters))
    artifacts = held.settings.artifacts_folder
    exemplars = (read_kept_exemplar(artifacts, kept) for kept in claim.input["exemplars"])
    built = held.exemplar_builder.build(exemplars, job=claim.job_id, artifacts=artifacts)
    new = bank.add(built.prototypes)
    return {"exemplars": built.images, **_counts(built, new)}


def _counts(built: "BuildResult", new: int) -> dict[str, int]:
    return {
        "prototypes": len(built.prototypes),
        "new prototypes": new,  # fewer when the same was added before
        **({OUTSIDE: built.outside} if built.outside else {}),
        **built.counts,
    }


def _segment(held: Held, claim: Claim) -> dict[str, Any]:
    from freeda_svc.outputs import palette, summarise, write_mask, write_overlay, write_summary  # noqa: PLC0415
    from freeda_svc.segmentation import Category, load_image  # noqa: PLC0415 - as above

    settings = held.settings
    categories = [Category(**category) for category in claim.parameters["categories"]]
    parameters = apply_overrides(held.pack.parameters.segmentation, claim.parameters["overrides"])
    path = settings.artifacts_folder / claim.input["image"]
    try:
        image = load_image(path)
    except InputError as error:
        raise InputError(str(error).replace(str(path), claim.input["name"])) from error
    segmentation = held.segmenter(bank_of_job(claim.parameters)).segment(image, categories, parameters)
    colours = palette(len(categories))
    folder = result_folder(settings, claim.job_id, claim.number)
    folder.mkdir(parents=True, exist_ok=True)
    write_mask(folder / MASK, segmentation.labels, colours)
    names = [category.name for category in categories]
    write_overlay(folder / OVERLAY, image, segmentation.labels, names, colours)
    write_summary(folder / SUMMARY, segmentation)
    return summarise(segmentation)


_PERFORMERS: Mapping[JobKind, Callable[[Held, Claim], dict[str, Any]]] = {
    JobKind.INGEST: _ingest,
    JobKind.EXEMPLARS: _add_exemplars,
    JobKind.SEGMENT: _segment,
}
