"""What the one working process of a home holds: the models and the bank, loaded when they are first needed."""

import time
from functools import cached_property
from typing import TYPE_CHECKING

from freeda_svc.errors import BusyError, InputError
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.bank import EmbeddedStore
    from freeda_svc.packs import Pack
    from freeda_svc.prototypes.builder import PrototypeBuilder
    from freeda_svc.segmentation import Segmenter

BANK_PATIENCE_SECONDS = 10.0
"""A process that was killed an instant ago may still hold the bank."""


class Held:
    """The models and the bank of one process, as long as it lives."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._bank: EmbeddedStore | None = None

    @cached_property
    def pack(self) -> "Pack":
        """The pack, whose models are read when they are first used."""
        from freeda_svc.packs import load_pack  # noqa: PLC0415 - the parent process needs no models

        settings = self.settings
        return load_pack(settings.pack, settings.device, settings.precision, folder=settings.packs_folder)

    @cached_property
    def builder(self) -> "PrototypeBuilder":
        """Makes prototypes of captions."""
        from freeda_svc.prototypes.builder import PrototypeBuilder  # noqa: PLC0415 - as above

        return PrototypeBuilder(self.pack)

    @cached_property
    def segmenter(self) -> "Segmenter":
        """Segments images with the bank."""
        from freeda_svc.segmentation import Segmenter  # noqa: PLC0415 - as above

        return Segmenter(self.pack, self.bank)

    @property
    def bank(self) -> "EmbeddedStore":
        """The bank of the pack; made when there is none.

        Raises:
            InputError: the bank is of another pack, or broken.
            BusyError: another process holds it.
        """
        from freeda_svc.bank import EmbeddedStore  # noqa: PLC0415 - as above

        if self._bank is None and (self.settings.bank_folder / "manifest.json").exists():
            self._bank = open_patiently(self.settings)
        elif self._bank is None:
            dimensions = self.pack.image_text.dimension, self.pack.backbone.dimension
            self._bank = EmbeddedStore.open(self.settings.bank_folder, self.pack.fingerprint, *dimensions)
        if self._bank.pack != self.pack.fingerprint:
            raise InputError(
                f"the bank {self.settings.bank_folder} is of pack {self._bank.pack}, the worker's pack "
                f"{self.settings.pack} is {self.pack.fingerprint}: use that pack, or another home"
            )
        return self._bank

    @property
    def existing_bank(self) -> "EmbeddedStore":
        """The bank of whatever pack, without loading a model.

        Raises:
            NotFoundError: there is none yet.
            BusyError: another process holds it.
        """
        if self._bank is None:
            self._bank = open_patiently(self.settings)
        return self._bank

    def close(self) -> None:
        """Let others have the bank."""
        if self._bank is not None:
            self._bank.close()
            self._bank = None
        self.__dict__.pop("segmenter", None)  # it knows the bank that was closed


def open_patiently(settings: Settings) -> "EmbeddedStore":
    """Open the home's bank, waiting a little for a process that is just ending.

    Raises:
        NotFoundError: there is none yet.
        InputError: it is broken.
        BusyError: another process holds it.
    """
    from freeda_svc.bank import EmbeddedStore  # noqa: PLC0415 - brings the engine

    deadline = time.monotonic() + BANK_PATIENCE_SECONDS
    while True:
        try:
            return EmbeddedStore.open_existing(settings.bank_folder)
        except BusyError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
