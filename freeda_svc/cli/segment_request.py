"""What is asked of all images of one command, and submitting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from freeda_svc.cli.segment_categories import AskedCategories
from freeda_svc.cli.session import open_dispatcher
from freeda_svc.jobs import CheckedRequest, InputImage, Priority, bank_created, segmentation_request, submit_segment
from freeda_svc.settings import Settings


@dataclass(frozen=True)
class Request:
    """What holds for all images.

    Attributes:
        settings: the installation.
        categories: what to look for.
        overrides: parameters that differ from the pack's.
        bank: whose prototypes are used; empty for that of the settings.
        explain: whether evidence is kept.
        priority: of the job.
        idempotency_key: the person's own name for the request; empty for none.
        only_propose: whether categories are proposed and nothing is segmented.
    """

    settings: Settings
    categories: AskedCategories
    overrides: dict[str, Any]
    bank: str
    explain: bool
    priority: Priority
    idempotency_key: str
    only_propose: bool = False

    def submit(self, images: Sequence[InputImage]) -> str:
        """Submit images; return the id of their job.

        Raises:
            FreedaError: as ``submit_segment`` does.
        """
        return submit_segment(
            self.settings,
            images,
            self.categories.categories,
            overrides=self.overrides,
            dispatcher=open_dispatcher(self.settings),
            bank=self.bank,
            colours=self.categories.colours,
            explain=self.explain,
            only_propose=self.only_propose,
            priority=self.priority,
            idempotency_key=self.idempotency_key,
        )

    def digest(self) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank."""
        return self._checked.digest(bank_created(self.settings, self._checked.bank))

    def bank_name(self) -> str:
        """Name and version of the bank."""
        return str(self._checked.bank)

    @cached_property
    def _checked(self) -> CheckedRequest:
        return segmentation_request(
            self.settings,
            self.categories.categories,
            overrides=self.overrides,
            bank=self.bank,
            colours=self.categories.colours,
            explain=self.explain,
            only_propose=self.only_propose,
        )
