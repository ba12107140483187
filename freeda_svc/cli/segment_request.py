"""What is asked of all images of one command, and submitting them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from freeda_svc.cli.backends import AskedSegmentation, Backend, CheckedSegmentation, name_of_part
from freeda_svc.cli.segment_categories import AskedCategories
from freeda_svc.jobs import InputImage, Priority


@dataclass(frozen=True)
class Request:
    """What holds for all images.

    Attributes:
        backend: is asked.
        categories: what to look for.
        overrides: parameters that differ from the pack's.
        bank: whose prototypes are used; empty for the usual one.
        explain: whether evidence is kept.
        priority: of the job.
        idempotency_key: the person's own name for the request; empty for none.
        only_propose: whether categories are proposed and nothing is segmented.
    """

    backend: Backend
    categories: AskedCategories
    overrides: dict[str, Any]
    bank: str
    explain: bool
    priority: Priority
    idempotency_key: str
    only_propose: bool = False

    def submit(self, images: Sequence[InputImage]) -> Iterator[str]:
        """Submit images; yield the id of their job, or of several as soon as each is accepted: a server limits one.

        Raises:
            FreedaError: as ``submit_segment`` does.
        """
        for number, part in enumerate(self.backend.parts_of(images)):
            key = name_of_part(self.idempotency_key, number)
            yield self.backend.submit_segment(self._asked, part, priority=self.priority, key=key)

    def digest(self) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank."""
        return self._checked.digest()

    def bank_name(self) -> str:
        """Name and version of the bank."""
        return self._checked.bank_name

    @property
    def _asked(self) -> AskedSegmentation:
        return AskedSegmentation(
            self.categories.categories,
            self.categories.colours,
            self.categories.choice,
            self.overrides,
            self.bank,
            self.explain,
            self.only_propose,
        )

    @cached_property
    def _checked(self) -> CheckedSegmentation:
        return self.backend.checked(self._asked)
