"""Prototypes of banks: finding them, their pictures, marking them as outliers, and forgetting them."""

import io
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, StrictBool

from freeda_svc.api.access import Administrator, Reader
from freeda_svc.api.bank_nouns import ask, kept_nouns
from freeda_svc.api.banks import ASKED, TEXT, BankPath, checked_bank
from freeda_svc.api.context import ServerContext
from freeda_svc.api.pages import Cursor, Page
from freeda_svc.api.problems import problems
from freeda_svc.artifacts import open_artifacts
from freeda_svc.errors import InputError
from freeda_svc.jobs import find_job
from freeda_svc.parameters import Origin
from freeda_svc.prototypes import tidy_noun
from freeda_svc.settings import Settings

MOST_PROTOTYPES, MOST_FOUND = 200, 1000
BY_HAND = "marked by hand"
PICTURE_SECONDS = 3600
"""So long browsers keep a picture: a prototype's never changes."""
PICTURES = ("image", "mask", "attribution")

router = APIRouter(tags=["prototypes"])

PrototypeId = Annotated[
    str, Path(description="the prototype's id, a UUID", pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
]


class Prototype(BaseModel, extra="allow"):
    """A prototype with all that is kept about it but its vectors."""

    id: str
    noun: str
    caption_id: str = Field(description="of the caption that its image was drawn from")
    caption: str
    origin: str = Field(description="generated, exemplar or imported")
    outlier: str = Field(description="why retrieval leaves it out; empty when it does not")
    image: str = Field(description="where the image is that it was pooled from; empty when that was not kept")
    mask: str = Field(description="where its mask is; likewise")
    attribution: str = Field(description="where its attribution is; likewise")


class FoundPrototype(Prototype):
    """A prototype that a text has found."""

    score: float = Field(description="cosine of its key and the text, -1 to 1")


class FoundPrototypes(BaseModel):
    """What a text has found, the nearest first."""

    items: list[FoundPrototype]


class Selected(BaseModel, extra="forbid"):
    """Which prototypes are meant: those for which everything that is given holds."""

    noun: Annotated[str | None, Field(description="of this noun", **TEXT)] = None
    job: str | None = Field(None, description="that this job made: its id, or the beginning of it", max_length=100)
    caption: Annotated[str | None, Field(description="of the caption of this id", **TEXT)] = None
    origin: Origin | None = Field(None, description="of this origin")


class ToForget(Selected):
    """Which prototypes are to be forgotten."""

    dry_run: StrictBool = Field(False, description="only count them")


class Forgotten(BaseModel):
    """What was forgotten."""

    bank: str = Field(description="name and version")
    found: int = Field(description="how many were meant")
    removed: int = Field(description="how many are gone")


class Marking(BaseModel, extra="forbid"):
    """Why a prototype is an outlier."""

    reason: str = Field(BY_HAND, description="for people", min_length=1, max_length=200)


class Curation(BaseModel, extra="forbid"):
    """What curation is to mark."""

    keep: float = Field(0.7, description="share of each noun that stays", gt=0, le=1)
    dry_run: StrictBool = Field(False, description="only say what would be marked")


class Curated(BaseModel):
    """What curation has marked, or would mark."""

    bank: str
    assessed: int = Field(description="how many were compared with others of their noun")
    left_alone: int
    found: int = Field(description="how many are marked now, or would be")
    newly_marked: int
    reasons: dict[str, int] = Field(description="how many for each reason")
    nouns: dict[str, Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="of each noun: how many are marked, of how many"
    )


class Unmarked(BaseModel):
    """What was taken back."""

    bank: str
    unmarked: int


@router.get("/v1/banks/{bank}/search", summary="Find prototypes by a text", responses=ASKED)
def search(
    context: ServerContext,
    _access: Reader,
    bank: BankPath,
    text: Annotated[str, Query(description="as a category would be called", **TEXT)],
    limit: Annotated[int, Query(description="how many at most", ge=1, le=MOST_FOUND)] = 10,
) -> FoundPrototypes:
    """Find the prototypes whose keys are nearest to a text: those that a category of that name is compared with."""
    named = checked_bank(bank)
    found = ask(context.settings, "search_bank", bank=named, text=text, limit=limit)
    return FoundPrototypes(items=[FoundPrototype(**_shown(named, values)) for values in found])


@router.get("/v1/banks/{bank}/prototypes", summary="List prototypes", responses=ASKED)
def list_prototypes(
    context: ServerContext,
    _access: Reader,
    bank: BankPath,
    *,
    noun: Annotated[str | None, Query(description="of this noun", **TEXT)] = None,
    job: Annotated[str | None, Query(description="that this job made", max_length=100)] = None,
    caption: Annotated[str | None, Query(description="of the caption of this id", **TEXT)] = None,
    origin: Annotated[Origin | None, Query(description="of this origin")] = None,
    outlier: Annotated[bool | None, Query(description="only those that are marked, or only those that are not")] = None,
    limit: Annotated[int, Query(description="how many at most", ge=1, le=MOST_PROTOTYPES)] = 50,
    after: Cursor = "",
) -> Page[Prototype]:
    """List the prototypes of a noun, a job, a caption or an origin, or the outliers, in the order of their ids."""
    chosen = Selected(noun=noun, job=job, caption=caption, origin=origin)
    selection = _selection(context.settings, chosen) | ({} if outlier is None else {"outlier": outlier})
    named = checked_bank(bank)
    found = ask(context.settings, "list_prototypes", bank=named, selection=selection, after=after, limit=limit + 1)
    items = [Prototype(**_shown(named, values)) for values in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


@router.get("/v1/banks/{bank}/prototypes/{prototype}", summary="Show a prototype", responses=ASKED)
def show_prototype(context: ServerContext, _access: Reader, bank: BankPath, prototype: PrototypeId) -> Prototype:
    """Show all that is kept about a prototype but its vectors, and where its pictures are."""
    return _show(context.settings, bank, prototype)


@router.get(
    "/v1/banks/{bank}/prototypes/{prototype}/{picture}.png",
    summary="Get a picture of a prototype",
    response_class=Response,
    responses={200: {"description": "the picture", "content": {"image/png": {}}}, **problems(404, 409, 422, 503)},
)
def get_picture(
    context: ServerContext,
    _access: Reader,
    bank: BankPath,
    prototype: PrototypeId,
    picture: Annotated[
        Literal["image", "mask", "attribution", "picture"],
        Path(description="image, mask (white inside), attribution, or picture: all of them side by side"),
    ],
) -> Response:
    """Get the image that a prototype was pooled from, its mask, or its attribution, as PNG of 256 pixels at most."""
    from freeda_svc.outputs import compose_prototype, read_thumbnail  # noqa: PLC0415 - brings numpy and Pillow

    settings = context.settings
    found = ask(settings, "show_prototype", bank=checked_bank(bank), identifier=prototype)
    names = [found[name] for name in (PICTURES if picture == "picture" else (picture,))]
    folder = open_artifacts(settings).bring(names)
    shown = compose_prototype(folder, *names) if picture == "picture" else read_thumbnail(folder, *names)
    content = io.BytesIO()
    shown.save(content, format="PNG")
    return Response(
        content.getvalue(), media_type="image/png", headers={"Cache-Control": f"private, max-age={PICTURE_SECONDS}"}
    )


@router.put("/v1/banks/{bank}/prototypes/{prototype}/outlier", summary="Mark as an outlier", responses=ASKED)
def mark(
    context: ServerContext, _access: Administrator, bank: BankPath, prototype: PrototypeId, body: Marking
) -> Prototype:
    """Leave a prototype out of retrieval from now on; it stays in the bank."""
    reasons = {prototype: body.reason}
    ask(context.settings, "mark_prototypes", seconds=None, bank=checked_bank(bank), reasons=reasons)
    return _show(context.settings, bank, prototype)


@router.delete("/v1/banks/{bank}/prototypes/{prototype}/outlier", summary="Take back a mark", responses=ASKED)
def unmark(context: ServerContext, _access: Administrator, bank: BankPath, prototype: PrototypeId) -> Prototype:
    """Let a prototype be retrieved again."""
    ask(context.settings, "unmark_prototypes", seconds=None, bank=checked_bank(bank), ids=[prototype])
    return _show(context.settings, bank, prototype)


@router.delete("/v1/banks/{bank}/prototypes/{prototype}", summary="Forget a prototype", responses=ASKED)
def forget_one(context: ServerContext, _access: Administrator, bank: BankPath, prototype: PrototypeId) -> Forgotten:
    """Remove a prototype for good."""
    settings = context.settings
    named = ask(settings, "resolve_bank", bank=checked_bank(bank))
    removed = ask(settings, "forget_prototypes", seconds=None, bank=named, ids=[prototype])
    kept_nouns.note_change()
    return Forgotten(bank=named, found=1, removed=removed)


@router.post("/v1/banks/{bank}/forget", summary="Forget prototypes", responses=ASKED)
def forget(context: ServerContext, _access: Administrator, bank: BankPath, body: ToForget) -> Forgotten:
    """Remove the prototypes of a noun, a job, a caption or an origin for good; `dry_run` counts them before."""
    settings = context.settings
    selection = _selection(settings, body)
    if not selection:
        raise InputError("say which prototypes are to be forgotten: give a noun, a job, a caption or an origin")
    named = ask(settings, "resolve_bank", bank=checked_bank(bank))  # once: it may be switched meanwhile
    count = ask(settings, "count_selected", bank=named, selection=selection)
    is_done = count and not body.dry_run
    removed = ask(settings, "forget", seconds=None, bank=named, selection=selection) if is_done else 0
    kept_nouns.note_change()
    return Forgotten(bank=named, found=count, removed=removed)


@router.post("/v1/banks/{bank}/curation", summary="Mark outliers by curation", responses=ASKED)
def curate(context: ServerContext, _access: Administrator, bank: BankPath, body: Curation) -> Curated:
    """Mark the prototypes of each noun that differ most from the others, or only say which."""
    settings = context.settings
    named = ask(settings, "resolve_bank", bank=checked_bank(bank))
    found = ask(settings, "curate_bank", seconds=None, bank=named, keep=body.keep, dry_run=body.dry_run)
    return Curated(bank=named, **found)


@router.delete("/v1/banks/{bank}/curation", summary="Take back the marks of curation", responses=ASKED)
def uncurate(context: ServerContext, _access: Administrator, bank: BankPath) -> Unmarked:
    """Take back all marks that curation made; those that were made by hand stay."""
    settings = context.settings
    named = ask(settings, "resolve_bank", bank=checked_bank(bank))
    return Unmarked(bank=named, unmarked=ask(settings, "uncurate_bank", seconds=None, bank=named))


def _show(settings: Settings, bank: str, prototype: str) -> Prototype:
    named = checked_bank(bank)
    return Prototype(**_shown(named, ask(settings, "show_prototype", bank=named, identifier=prototype)))


def _selection(settings: Settings, given: Selected) -> dict[str, Any]:
    for name in ("noun", "caption"):
        value = getattr(given, name)
        if value is not None and not value.strip():  # an empty noun would mean all that was imported without one
            raise InputError(f"{name} is empty; give one, or leave it out")
    wanted = {
        "noun": None if given.noun is None else tidy_noun(given.noun),
        "job": None if given.job is None else find_job(settings, given.job),
        "caption_id": given.caption,
        "origin": given.origin,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _shown(bank: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return a prototype with the addresses of its pictures instead of their places among the artifacts."""
    base = f"/v1/banks/{quote(bank)}/prototypes/{values['id']}"
    pictures = {name: f"{base}/{name}.png" if values[name] else "" for name in PICTURES}
    return {**values, **pictures}
