"""What holds for all images of a segmentation job, checked before any image is looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from freeda_svc.bank.banks import BankName
from freeda_svc.batches import digest_of_request
from freeda_svc.jobs.banks import bank_of_new_job
from freeda_svc.packs import PackDescription, read_pack_parameters
from freeda_svc.parameters import Category, Colour, SegmentationParameters, SegmentationRequest
from freeda_svc.settings import Settings

ONLY_PROPOSE = "only_propose"
"""The parameter of a job whose images are only looked at, so that their categories can be put together."""


@dataclass(frozen=True)
class CheckedRequest:
    """A segmentation job without its images, for the pack and the bank of an installation.

    Attributes:
        pack: whose models segment.
        request: what is asked; its bank is named with its version.
        segmentation: all parameters of the segmentation, the pack's and those of the request together.
    """

    pack: PackDescription
    request: SegmentationRequest
    segmentation: SegmentationParameters

    @property
    def parameters(self) -> dict[str, Any]:
        """The request as SQL keeps it."""
        return self.request.kept()

    @property
    def bank(self) -> BankName:
        """Whose prototypes are used."""
        return BankName.parse(self.request.bank)

    def digest(self, bank_created: str) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank.

        Args:
            bank_created: when the bank was made, which distinguishes it from another one of its name: one that was
                dropped, or is on another server.
        """
        parameters = self.parameters
        return digest_of_request(
            pack=self.pack.fingerprint,
            masks=self.pack.masks_fingerprint,
            segmentation=self.segmentation.model_dump(),
            bank=str(self.bank),
            bank_created=bank_created,
            categories=parameters["categories"],
            colours=parameters.get("colours", ()),
            explain=self.request.explain,
            only_propose=self.request.only_propose,
        )


def segmentation_request(
    settings: Settings,
    categories: Iterable[Category | Mapping[str, Any] | str] | None,
    *,
    overrides: Mapping[str, Any] | None = None,
    bank: str = "",
    colours: Iterable[Colour] = (),
    explain: bool = False,
    only_propose: bool = False,
) -> CheckedRequest:
    """Check what is asked of all images.

    Args:
        settings: the installation.
        categories: what to look for, as ``read_category`` takes each; None lets the bank propose some for each image.
        overrides: parameters that differ from the pack's, as ``SegmentationOverrides`` has them.
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
    request = SegmentationRequest.read(
        {
            "categories": categories,
            "overrides": overrides or {},
            "colours": colours,
            "explain": explain,
            "only_propose": only_propose,
        }
    )
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    segmentation = request.overrides.over(pack.parameters.segmentation)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    return CheckedRequest(pack, request.replace(bank=chosen), segmentation)
