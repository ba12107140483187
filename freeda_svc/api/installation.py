"""What a client has to know of a server before it asks for anything."""

from importlib import metadata
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from freeda_svc.api.access import Reader
from freeda_svc.api.bank_nouns import ask
from freeda_svc.api.banks import NAME, VERSION, BankPath
from freeda_svc.api.context import ServerContext
from freeda_svc.api.hidden import source_name
from freeda_svc.api.problems import problems
from freeda_svc.api.segmentations import MOST_IMAGES
from freeda_svc.jobs import bank_created, bank_of_new_job
from freeda_svc.packs import read_pack_parameters

router = APIRouter(tags=["health"])


class UsedPack(BaseModel):
    """The models of the server."""

    name: str
    fingerprint: str = Field(description="of its files and parameters, except those of segmentation")
    segmentation: dict[str, Any] = Field(description="how it segments where a request does not say otherwise")
    nouns: list[str] | None = Field(description="what captions can teach it; null where it knows any word")


class UsedBank(BaseModel):
    """The bank that a request would use."""

    bank: str = Field(description="name and version, such as animals@2")
    created: str = Field(description="when it was made, in UTC; empty while the first captions have not been ingested")


class Installation(BaseModel):
    """A server, its pack and a bank."""

    version: str = Field(description="of freeda-svc")
    pack: UsedPack
    bank: UsedBank
    most_images: int = Field(description="of one request")
    max_body_bytes: int = Field(description="of one request")


class Revision(BaseModel):
    """What is in a bank at a moment; equal as long as nothing is added, removed or marked."""

    additions: int = Field(description="grows with every batch that adds prototypes")
    removals: str = Field(description="another text after anything was removed, or marked as an outlier")


@router.get("/v1/banks/{bank}/revision", summary="Compare a bank with results", responses=problems(404, 422, 503))
def show_revision(
    context: ServerContext,
    _access: Reader,
    bank: BankPath,
) -> Revision:
    """Say which revision a bank has now; the `bank_version` of a result's summary is that which it was made from."""
    return Revision(**ask(context.settings, "bank_revision", bank=bank))


@router.get("/v1/installation", summary="What this server is", responses=problems(404, 422, 503))
def show_installation(
    context: ServerContext,
    _access: Reader,
    bank: Annotated[
        str,
        Query(
            description="whose version is asked for; the server's usual one when empty",
            max_length=100,
            json_schema_extra={"pattern": f"^({NAME}({VERSION})?)?$"},
        ),
    ] = "",
) -> Installation:
    """Say which models, parameters and bank a request meets here."""
    settings = context.settings
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    named = bank_of_new_job(settings, bank or settings.bank)
    return Installation(
        version=metadata.version("freeda-svc"),
        pack=UsedPack(
            name=source_name(pack.name),
            fingerprint=pack.fingerprint,
            segmentation=pack.parameters.segmentation.model_dump(mode="json"),
            nouns=None if pack.nouns is None else sorted(pack.nouns),
        ),
        bank=UsedBank(bank=str(named), created=bank_created(settings, named)),
        most_images=MOST_IMAGES,
        max_body_bytes=settings.api_max_body_bytes,
    )
