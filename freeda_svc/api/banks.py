"""Banks: their versions, what they hold, and what they know of words. A worker answers; without one that is a 503."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from freeda_svc.api.access import Administrator, Reader
from freeda_svc.api.bank_nouns import ask, kept_nouns
from freeda_svc.api.context import ServerContext
from freeda_svc.api.hidden import client_text
from freeda_svc.api.pages import CURSOR, MOST_DIGITS, Page, number_after
from freeda_svc.api.problems import problems
from freeda_svc.bank.banks import BankName, split_bank_name
from freeda_svc.counts import count_by_size
from freeda_svc.errors import InputError
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import fold_text

MOST_NOUNS, MOST_WORDS = 1000, 50
LONGEST_TEXT = 1000
_WORD = r"[^|]{0,99}[^|\s][^|]{0,99}"
TEXT: dict[str, Any] = {"max_length": LONGEST_TEXT, "json_schema_extra": {"pattern": r"\S"}}
"""Of a text that is not blank."""

router = APIRouter(tags=["banks"])

NAME, VERSION = "[a-z0-9][a-z0-9_-]{0,62}", "@[1-9][0-9]{0,8}"
BANK: dict[str, Any] = {
    "description": "a bank, such as animals, or a version of it, animals@2",
    "max_length": 100,
    "json_schema_extra": {"pattern": f"^{NAME}({VERSION})?$"},
}
BankPath = Annotated[str, Path(**BANK)]
VersionPath = Annotated[
    str,
    Path(
        description="a version of a bank, animals@2",
        max_length=100,
        json_schema_extra={"pattern": f"^{NAME}{VERSION}$"},
    ),
]
NounCursor = Annotated[str, Query(**CURSOR, json_schema_extra={"pattern": f"^([0-9]{{1,{MOST_DIGITS}}}(-.*)?)?$"})]
ASKED = problems(404, 409, 422, 503)


class Bank(BaseModel):
    """A version of a bank."""

    bank: str = Field(description="name and version, such as animals@2")
    current: bool = Field(description="whether the name without a version means this one")
    prototypes: int
    pack: str = Field(description="fingerprint of the encoders that its prototypes were made with")
    key_dimension: int
    vector_dimension: int
    created: str = Field(description="when, in UTC")
    fault: str = Field(description="why it cannot be opened; empty when it can")


class BankStatistics(BaseModel):
    """What a bank holds."""

    bank: str = Field(description="name and version")
    prototypes: int = Field(description="outliers included")
    nouns: int = Field(description="different ones")
    captions: int = Field(description="different ones")
    jobs: int = Field(description="that added to it")
    outliers: int = Field(description="prototypes that are marked, and left out of retrieval")
    origins: dict[str, int] = Field(description="prototypes of each origin: generated, exemplar, imported")
    pack: str = Field(description="fingerprint of the encoders that its prototypes were made with")
    key_dimension: int
    vector_dimension: int
    bytes_on_disk: int = Field(description="0 where the store does not say")
    nouns_unknown_to_pack: int = Field(
        0, description="nouns that the pack's models do not know; missing if any word is"
    )
    prototypes_unknown_to_pack: int = Field(0, description="their prototypes")
    nouns_by_prototypes: dict[str, int] = Field(description="how many nouns have 1 prototype, 2-3, 4-7, and so on")


class NewBank(BaseModel):
    """The bank that is to be made."""

    bank: Annotated[str, Field(**BANK)]


class NamedBank(BaseModel):
    """A version of a bank."""

    bank: str = Field(description="name and version")


class CurrentBank(NamedBank):
    """The version that its bank's name means now."""

    current: bool


class DroppedBank(NamedBank):
    """A version that is gone."""

    prototypes: int = Field(description="how many it had")


class Noun(BaseModel):
    """A noun of a bank."""

    noun: str
    prototypes: int
    known_to_pack: bool | None = Field(description="whether the pack's models know it; null where they know any word")


class NearNoun(BaseModel):
    """A noun whose prototypes a word retrieves, too."""

    noun: str
    retrieved: int


class Word(BaseModel):
    """What a bank knows of a word."""

    text: str
    prototypes: int = Field(description="how many it has of that very noun, without outliers")
    retrieved: int = Field(description="how many it retrieves for the word, of whatever nouns")
    nearest: list[NearNoun] = Field(description="other nouns among these, the nearest first")


class KnownWords(BaseModel):
    """What a bank knows of several words."""

    items: list[Word]


@router.get("/v1/banks", summary="List banks", responses=ASKED)
def list_banks(context: ServerContext, _access: Reader) -> Page[Bank]:
    """List all versions of all banks."""
    found = ask(context.settings, "list_banks")
    banks = [Bank(**{**bank, "fault": client_text(bank["fault"], context.settings)}) for bank in found]
    return Page(items=banks, next=None)


@router.post("/v1/banks", status_code=201, summary="Make a bank", responses=ASKED)
def create_bank(context: ServerContext, _access: Administrator, body: NewBank, response: Response) -> NamedBank:
    """Make an empty bank, or an empty version of one, which `switch` makes current later."""
    split_bank_name(body.bank)
    made = ask(context.settings, "create_bank", seconds=None, bank=body.bank)
    response.headers["Location"] = f"/v1/banks/{made}"
    return NamedBank(bank=made)


@router.get("/v1/banks/{bank}", summary="Count what a bank holds", responses=ASKED, response_model_exclude_unset=True)
def bank_stats(context: ServerContext, _access: Reader, bank: BankPath) -> BankStatistics:
    """Count prototypes, nouns, captions, jobs and outliers; say the size on disk and the pack."""
    found = ask(context.settings, "describe_bank", bank=checked_bank(bank))
    counts = ask(context.settings, "count_nouns", bank=found["bank"])
    return BankStatistics(**found, nouns_by_prototypes=count_by_size(counts.values()))


@router.delete("/v1/banks/{bank}", summary="Drop a version of a bank", responses=ASKED)
def drop_bank(context: ServerContext, _access: Administrator, bank: VersionPath) -> DroppedBank:
    """Remove a version, such as animals@1, with all its prototypes; the current one only when it is the last."""
    settings, name = context.settings, str(BankName.parse(bank))
    listed = {entry["bank"]: entry["prototypes"] for entry in ask(settings, "list_banks")}
    dropped = ask(settings, "drop_bank", seconds=None, bank=name)
    kept_nouns.note_change()
    return DroppedBank(bank=dropped, prototypes=listed.get(name, 0))


@router.post("/v1/banks/{bank}/switch", summary="Make a version the current one", responses=ASKED)
def switch_bank(context: ServerContext, _access: Administrator, bank: VersionPath) -> CurrentBank:
    """Let a bank's name mean this version from now on; jobs that were accepted before go on with theirs."""
    name = str(BankName.parse(bank))
    named = ask(context.settings, "switch_bank", seconds=None, bank=name)
    kept_nouns.note_change()
    return CurrentBank(bank=named, current=True)


@router.get("/v1/banks/{bank}/nouns", summary="List a bank's nouns", responses=ASKED)
def list_nouns(
    context: ServerContext,
    _access: Reader,
    bank: BankPath,
    *,
    prefix: Annotated[str, Query(description="only nouns that begin so, in any case", max_length=LONGEST_TEXT)] = "",
    limit: Annotated[int, Query(description="how many at most", ge=1, le=MOST_NOUNS)] = 50,
    after: NounCursor = "",
) -> Page[Noun]:
    """List nouns page by page, those with most prototypes first; quick enough to complete words while typing."""
    settings = context.settings
    begins = fold_text(prefix)
    count, _, last = after.partition("-")
    rest = (-number_after(count), last) if after else None
    ranked = [
        (noun, number)
        for noun, folded, number in kept_nouns.ranked(settings, checked_bank(bank))
        if folded.startswith(begins) and (rest is None or (-number, noun) > rest)
    ]
    known = read_pack_parameters(settings.pack, settings.packs_folder).nouns
    shown = [
        Noun(noun=noun, prototypes=number, known_to_pack=None if known is None else noun in known)
        for noun, number in ranked[:limit]
    ]
    is_more = len(ranked) > limit
    return Page(items=shown, next=f"{shown[-1].prototypes}-{shown[-1].noun}" if is_more else None)


@router.get("/v1/banks/{bank}/words", summary="Ask what a bank knows of words", responses=ASKED)
def known_words(
    context: ServerContext,
    _access: Reader,
    bank: BankPath,
    text: Annotated[
        list[str],
        Query(
            description="a word; several times for several, or several with |",
            min_length=1,
            json_schema_extra={
                "maxItems": MOST_WORDS,
                "items": {"type": "string", "pattern": f"^{_WORD}(\\|{_WORD})*$"},
            },
        ),
    ],
) -> KnownWords:
    """Say how many prototypes each word has of its own noun, and which nouns are nearest to it."""
    texts = [part.strip() for word in text for part in word.split("|")]
    if len(texts) > MOST_WORDS:
        raise InputError(f"{len(texts)} words were given; at most {MOST_WORDS} are answered at once")
    found = ask(context.settings, "known_words", bank=checked_bank(bank), texts=texts)
    return KnownWords(items=[Word(**word) for word in found])


def checked_bank(bank: str) -> str:
    """Return a bank's name, perhaps with a version.

    Raises:
        InputError: it is none.
    """
    split_bank_name(bank)
    return bank
