"""What holds for all images of a segmentation job, checked before any image is looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from freeda_svc.bank.names import BankName
from freeda_svc.batches import digest_of_request
from freeda_svc.errors import InputError
from freeda_svc.jobs.banks import BANK, bank_of_new_job
from freeda_svc.jobs.categories import check_categories
from freeda_svc.jobs.overrides import apply_overrides
from freeda_svc.packs.description import PackDescription, read_pack_parameters
from freeda_svc.packs.parameters import SegmentationParameters
from freeda_svc.settings import Settings

ONLY_PROPOSE = "only_propose"
"""The parameter of a job whose images are only looked at, so that their categories can be put together."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class SegmentationRequest:
    """A segmentation job without its images.

    Attributes:
        pack: whose models segment.
        parameters: of the job: the bank with its version, categories, overrides, and colours where they differ.
        segmentation: all numbers to segment with, the pack's and the overrides together.
    """

    pack: PackDescription
    parameters: Mapping[str, Any]
    segmentation: SegmentationParameters

    @property
    def bank(self) -> BankName:
        """Whose prototypes are used."""
        return BankName.parse(str(self.parameters[BANK]))

    def digest(self, bank_created: str) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank.

        Args:
            bank_created: when the bank was made, which tells it from another one of its name: one that was dropped,
                or lies on another server.
        """
        return digest_of_request(
            pack=self.pack.fingerprint,
            segmentation=asdict(self.segmentation),
            bank=str(self.bank),
            bank_created=bank_created,
            categories=self.parameters["categories"],
            colours=self.parameters.get("colours", ()),
            explain=bool(self.parameters.get("explain")),
            only_propose=bool(self.parameters.get(ONLY_PROPOSE)),
        )


def segmentation_request(
    settings: Settings,
    categories: Sequence[Mapping[str, Any]] | None,
    *,
    overrides: Mapping[str, Any] | None = None,
    bank: str = "",
    colours: Sequence[Colour] = (),
    explain: bool = False,
    only_propose: bool = False,
) -> SegmentationRequest:
    """Check what is asked of all images.

    Args:
        settings: the installation.
        categories: mappings with ``name`` and optionally ``text``, ``prototype_text`` and ``synonyms``; None
            lets the bank propose some for each image.
        overrides: parameters that differ from the pack's, as ``apply_overrides`` takes them.
        bank: name of the bank whose prototypes are used; that of the settings when empty.
        colours: RGB of the first categories, where they are to have other colours than usual.
        explain: whether evidence is kept of each image.
        only_propose: with no categories: say what the bank proposes for each image, and segment none.

    Raises:
        InputError: categories are named although they are to be proposed, a category or a parameter is not usable, or
            the pack is not valid.
        NotFoundError: there is no such pack or bank.
        UnavailableError: the banks cannot be reached.
    """
    if only_propose and categories is not None:
        raise InputError("categories are proposed where none are named; leave them out, or segment into them")
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    changed = dict(overrides or {})
    segmentation = apply_overrides(pack.parameters.segmentation, changed)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    checked = None if categories is None else check_categories(categories)
    parameters: dict[str, Any] = {BANK: chosen, "categories": checked, "overrides": changed}
    if colours:
        parameters["colours"] = [list(colour) for colour in colours]
    if explain:
        parameters["explain"] = True
    if only_propose:
        parameters[ONLY_PROPOSE] = True
    return SegmentationRequest(pack, parameters, segmentation)
