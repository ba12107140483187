"""What there is to segment with: model packs, and vocabularies of well-known datasets."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from freeda_svc.api.access import Reader
from freeda_svc.api.context import ServerContext
from freeda_svc.api.hidden import without_server
from freeda_svc.api.pages import Page
from freeda_svc.api.problems import problems
from freeda_svc.errors import NotFoundError
from freeda_svc.packs import describe_pack, describe_pack_shortly, pack_names
from freeda_svc.parameters import unknown_name
from freeda_svc.vocabularies import list_vocabularies, load_vocabulary

LONGEST_NAME = 200

router = APIRouter(tags=["packs and vocabularies"])


class Memory(BaseModel):
    """Memory of a graphics card, estimated."""

    generating: int = Field(description="gigabytes; 0 where nobody has estimated it")
    segmenting: int = Field(description="gigabytes; likewise")


class Pack(BaseModel):
    """A model pack."""

    name: str
    state: str = Field(description="bundled, here, not fetched, files are missing, or not valid")
    kinds: list[str] = Field(description="paper, commercial, fast")
    megabytes: int | None = Field(description="of its files; null where that is not known")
    gpu_gigabytes: Memory
    description: str


class PackDetails(Pack):
    """A model pack with its models, licences and parameters."""

    version: str
    fingerprint: str | None = Field(description="of its files and parameters; null until it is fetched")
    encoders: str | None = Field(description="fingerprint of its encoders, by which a bank accepts it; likewise")
    sources: dict[str, dict[str, Any]] = Field(description="where each model comes from, and its licence")
    parameters: dict[str, Any] = Field(description="of generation, attribution, prototypes and segmentation")
    files: dict[str, str] | None = Field(description="digests of its files by name; null until it is fetched")


class Vocabulary(BaseModel):
    """The classes of a dataset."""

    name: str = Field(description="as a request gives it, such as voc20")
    title: str
    classes: int = Field(description="how many")


class VocabularyDetails(Vocabulary):
    """The classes of a dataset, in the order of its labels."""

    names: list[str] = Field(description="as the dataset calls them")
    texts: list[str] = Field(description="as a person would write them")
    colours: list[Annotated[list[int], Field(min_length=3, max_length=3)]] = Field(
        description="red, green and blue, as they are usually shown"
    )
    ignore: int = Field(description="the label of pixels that belong to no class")
    background: bool = Field(description="whether the first class is all that belongs to no other")


@router.get("/v1/packs", summary="List model packs", responses=problems(422, 503))
def list_packs(context: ServerContext, _access: Reader) -> Page[Pack]:
    """List the packs that are here, and those that could be fetched."""
    settings = context.settings
    found = [describe_pack_shortly(name, settings.packs_folder) for name in pack_names(settings.packs_folder)]
    shown = [Pack(**{**pack, "description": without_server(pack["description"], settings)}) for pack in found]
    return Page(items=shown, next=None)


@router.get("/v1/packs/{name}", summary="Show a model pack", responses=problems(404, 422, 503))
def show_pack(
    context: ServerContext,
    _access: Reader,
    name: Annotated[str, Path(description="of a pack, such as miniature", max_length=LONGEST_NAME)],
) -> PackDetails:
    """Show a pack's models with their licences, and its parameters."""
    folder = context.settings.packs_folder
    known = pack_names(folder)
    if name not in known:  # a path, which the command line takes, is none
        raise NotFoundError(unknown_name(name, known, "pack"))
    return PackDetails(**describe_pack(name, folder))


@router.get("/v1/vocabularies", summary="List vocabularies", responses=problems(422))
def list_all_vocabularies(_access: Reader) -> Page[Vocabulary]:
    """List the vocabularies of well-known datasets."""
    titles = list_vocabularies().items()
    items = [Vocabulary(name=name, title=title, classes=len(load_vocabulary(name).names)) for name, title in titles]
    return Page(items=items, next=None)


@router.get("/v1/vocabularies/{name}", summary="Show a vocabulary", responses=problems(404, 422))
def show_vocabulary(
    _access: Reader,
    name: Annotated[str, Path(description="of a vocabulary, such as voc20", max_length=LONGEST_NAME)],
) -> VocabularyDetails:
    """Show the classes of a dataset in the order of its labels, with their colours."""
    found = load_vocabulary(name)
    return VocabularyDetails(
        name=found.name,
        title=found.title,
        classes=len(found.names),
        names=list(found.names),
        texts=list(found.texts),
        colours=found.colours.tolist(),
        ignore=found.ignore,
        background=found.background,
    )
