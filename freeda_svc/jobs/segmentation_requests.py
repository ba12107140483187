"""What holds for all images of a segmentation job, checked before any image is looked at."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freeda_svc.jobs.banks import BANK, bank_of_new_job
from freeda_svc.jobs.categories import check_categories
from freeda_svc.jobs.overrides import apply_overrides
from freeda_svc.packs.description import PackDescription, read_pack_parameters
from freeda_svc.settings import Settings

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class SegmentationRequest:
    """A segmentation job without its images.

    Attributes:
        pack: whose models segment.
        parameters: of the job: the bank with its version, categories, overrides, and colours where they differ.
    """

    pack: PackDescription
    parameters: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Equal for requests of which one image gets equal results, as long as the bank does not change."""
        return request_digest(self.pack.fingerprint, self.parameters)


def request_digest(fingerprint: str, parameters: Mapping[str, Any]) -> str:
    """Return the digest of a request for a pack, or of a job that was made of one."""
    text = json.dumps([fingerprint, parameters], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def segmentation_request(
    settings: Settings,
    categories: Sequence[Mapping[str, Any]] | None,
    *,
    overrides: Mapping[str, Any] | None = None,
    bank: str = "",
    colours: Sequence[Colour] = (),
    explain: bool = False,
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

    Raises:
        InputError: a category or a parameter is not usable, or the pack is not valid.
        NotFoundError: there is no such pack or bank.
        UnavailableError: the banks cannot be reached.
    """
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    changed = dict(overrides or {})
    apply_overrides(pack.parameters.segmentation, changed)
    chosen = str(bank_of_new_job(settings, bank or settings.bank))
    checked = None if categories is None else check_categories(categories)
    parameters: dict[str, Any] = {BANK: chosen, "categories": checked, "overrides": changed}
    if colours:
        parameters["colours"] = [list(colour) for colour in colours]
    if explain:
        parameters["explain"] = True
    return SegmentationRequest(pack, parameters)
