"""What a client does with banks."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from freeda_svc.client.banks import Banks
from freeda_svc.client.job_client import JobClient
from freeda_svc.errors import InputError
from freeda_svc.library.arguments import read_text
from freeda_svc.whole_files import write_whole


class BankClient(JobClient):
    """A server's jobs and banks."""

    @cached_property
    def _banks(self) -> Banks:
        return Banks(self.connection)

    def banks(self) -> list[dict[str, Any]]:
        """List all banks with their versions, as ``freeda bank list --json`` does."""
        return self._banks.banks()

    def nouns(self, bank: str = "", *, prefix: str = "") -> dict[str, int]:
        """Count the prototypes of each noun of a bank.

        Args:
            bank: the server's usual one when empty.
            prefix: only nouns that begin so.
        """
        return self._banks.nouns(bank, prefix=prefix)

    def search(self, text: str, *, k: int = 10, bank: str = "") -> list[dict[str, Any]]:
        """Find the prototypes whose keys are nearest to a text, best first: what a category would be compared with."""
        return self._banks.search(read_text(text, "what is searched for"), limit=k, bank=bank)

    def stats(self, bank: str = "") -> dict[str, Any]:
        """Say how large a bank is, as ``freeda bank stats --json`` does; the server's usual one when empty."""
        return self._banks.bank(bank)

    def create_bank(self, bank: str) -> str:
        """Make an empty bank, or an empty version of one, such as ``animals@2``; return its name and version.

        Raises:
            BusyError: it is there already.
        """
        return self._banks.create_bank(bank)

    def switch_bank(self, bank: str) -> str:
        """Make a version of a bank the current one, at once for everybody; return its name and version.

        Raises:
            NotFoundError: there is no such version.
        """
        return self._banks.switch_bank(bank)

    def drop_bank(self, bank: str) -> str:
        """Remove a version of a bank with all its prototypes for good; return its name and version.

        Raises:
            NotFoundError: there is no such version.
        """
        return self._banks.drop_bank(bank)

    def prototype(self, prototype: str, *, bank: str = "") -> dict[str, Any]:
        """Show all that is kept about a prototype but its vectors.

        Args:
            prototype: its id, as ``search`` returns it.
            bank: that has it; the server's usual one when empty.

        Raises:
            NotFoundError: there is no such prototype.
        """
        return self._banks.prototype(prototype, bank=bank)

    def prototype_picture(self, prototype: str, out: str | os.PathLike[str], *, bank: str = "") -> Path:
        """Write the picture of a prototype, a PNG: the image it was pooled from, its mask and its attribution.

        Args:
            prototype: its id.
            out: the file, in a folder that is there.
            bank: that has it; the server's usual one when empty.

        Returns:
            The file.

        Raises:
            InputError: the file cannot be written.
            NotFoundError: there is no such prototype, or its pictures were not kept.
        """
        content, path = self._banks.prototype_picture(prototype, bank=bank), Path(out).expanduser()
        try:
            write_whole(path, content)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}): give another file") from error
        return path

    def forget(
        self,
        *,
        noun: str | None = None,
        job: str | None = None,
        caption: str | None = None,
        origin: str | None = None,
        bank: str = "",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Remove prototypes for good: those for which everything that is given holds.

        Args:
            noun: prototypes of this noun.
            job: that this job made.
            caption: of the caption of this id.
            origin: ``generated``, ``exemplar`` or ``imported``.
            bank: whose; the server's usual one when empty.
            dry_run: only count them.

        Returns:
            ``bank`` with its version, and how many were ``found`` and ``removed``.

        Raises:
            InputError: nothing says which prototypes.
            NotFoundError: there is no such bank or job.
        """
        wanted = {"noun": noun, "job": job, "caption": caption, "origin": origin}
        selection = {name: value for name, value in wanted.items() if value is not None}
        return self._banks.forget(selection, bank=bank, dry_run=dry_run)

    def curate(self, *, keep: float | None = None, bank: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Mark the prototypes of each noun that differ most from the others, as ``freeda bank curate`` does.

        Args:
            keep: share of each noun that stays, above 0 and at most 1; 0.7 when None.
            bank: whose; the server's usual one when empty.
            dry_run: only say what would be marked.
        """
        return self._banks.curate(bank=bank, keep=keep, dry_run=dry_run)

    def uncurate(self, *, bank: str = "") -> int:
        """Take back all marks that curation made; return how many there were."""
        return int(self._banks.uncurate(bank=bank)["unmarked"])
