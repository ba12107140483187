"""What the one working process of a home holds: the models and the banks, loaded when they are first needed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from freeda_svc.bank.banks import DEFAULT_BANK, BankName
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.banks import open_banks
from freeda_svc.settings import Settings, load_pack_of
from freeda_svc.workers.changes import ChangeNotifier

if TYPE_CHECKING:
    from freeda_svc.bank import Banks, PrototypeStore
    from freeda_svc.packs import Pack
    from freeda_svc.prototypes import ExemplarBuilder, PrototypeBuilder
    from freeda_svc.segmentation import Segmenter

BANK_PATIENCE_SECONDS = 10.0
"""A process that was just killed may still hold the lock of the bank."""


class Resources:
    """The models and the banks of one process, as long as it lives."""

    def __init__(self, settings: Settings, *, broker_url: str = "") -> None:
        """Hold nothing yet.

        Args:
            settings: the installation.
            broker_url: where questions arrive and changes are published; empty in a process that is no worker.
        """
        self.settings = settings
        self.broker_url = broker_url
        self._open: dict[BankName, PrototypeStore] = {}
        self._segmenters: dict[BankName, Segmenter] = {}
        self._moved: dict[BankName, str] = {}
        self.generates = False
        """Whether the text-to-image model was asked for, so that it belongs to what must work."""

    @cached_property
    def pack(self) -> "Pack":
        """The pack, whose models are read when they are first used."""
        return load_pack_of(self.settings)

    @property
    def has_pack(self) -> bool:
        """Whether the pack is loaded."""
        return "pack" in self.__dict__

    @cached_property
    def builder(self) -> "PrototypeBuilder":
        """Makes prototypes of captions."""
        from freeda_svc.prototypes import PrototypeBuilder  # noqa: PLC0415 - as above

        return PrototypeBuilder(self.pack)

    @cached_property
    def exemplar_builder(self) -> "ExemplarBuilder":
        """Makes prototypes of people's own images and masks."""
        from freeda_svc.prototypes import ExemplarBuilder  # noqa: PLC0415 - as above

        return ExemplarBuilder(self.pack)

    def prepare(self, kind: JobKind) -> None:
        """Read the models that items of a kind need.

        Raises:
            UnavailableError: one cannot be read, which says nothing of the item.
        """
        self.generates |= kind is JobKind.INGEST
        try:
            for part in ("image_text", "backbone", *(["generator"] if kind is JobKind.INGEST else [])):
                getattr(self.pack, part)
        except (FreedaError, RuntimeError, OSError) as error:
            raise UnavailableError(f"the worker's models cannot be used: {error}") from error

    def try_models(self, *, generator: bool = False) -> None:
        """Compute next to nothing with each model; see `Pack.try_out`."""
        self.pack.try_out(generator=generator or self.generates)

    @cached_property
    def changes(self) -> ChangeNotifier:
        """Publishes that a job has changed."""
        return ChangeNotifier(self.broker_url)

    @cached_property
    def banks(self) -> "Banks":
        """The banks of the installation."""
        return open_banks(self.settings)

    def segmenter(self, bank: BankName) -> "Segmenter":
        """Segments images with a bank.

        Raises:
            NotFoundError, InputError, BusyError: as `bank` does.
        """
        from freeda_svc.segmentation import Segmenter  # noqa: PLC0415 - as above

        if bank not in self._segmenters:
            self._segmenters[bank] = Segmenter(self.pack, self.bank(bank), bank=str(bank))
        return self._segmenters[bank]

    def bank(self, bank: BankName) -> "PrototypeStore":
        """A bank of the pack; the first version of the default one is made when there is none.

        Raises:
            NotFoundError: there is no such bank.
            InputError: the bank is of another pack, or broken.
            BusyError: another process holds it.
        """
        if bank == BankName(DEFAULT_BANK, 1) and bank not in self._open:
            self._make(bank)
        store = self.existing_bank(bank)
        if not self.pack.description.fits(store.pack):
            raise InputError(
                f"the bank {bank} is of pack {store.pack}, the worker's pack {self.settings.pack} is "
                f"{self.pack.fingerprint} with the encoders {self.pack.encoders_fingerprint}: "
                "use that pack, or another bank"
            )
        return store

    def existing_bank(self, bank: BankName) -> "PrototypeStore":
        """A bank of whatever pack, without loading a model.

        Raises:
            NotFoundError: there is none yet.
            BusyError: another process holds it.
        """
        if bank not in self._open:
            self._open[bank] = open_patiently(self.banks, bank)
        return self._open[bank]

    def create(self, bank: BankName) -> None:
        """Make an empty version of a bank for the pack.

        Raises:
            InputError: it is there already.
        """
        self.banks.create(
            bank, self.pack.encoders_fingerprint, self.pack.image_text.dimension, self.pack.backbone.dimension
        )

    def is_open(self, bank: BankName) -> bool:
        """Return whether this process has a bank open."""
        return bank in self._open

    def let_go(self, bank: BankName) -> None:
        """Close a bank if it is open."""
        self._segmenters.pop(bank, None)  # it knows the bank that is closed
        store = self._open.pop(bank, None)
        if store is not None:
            store.close()

    @contextmanager
    def moving(self, bank: BankName, what: str) -> Iterator[None]:
        """Keep a bank from being dropped as long as the block lasts; says what is done with it."""
        self._moved[bank] = what
        try:
            yield
        finally:
            del self._moved[bank]

    def check_unmoved(self, bank: BankName) -> None:
        """Check that no process moves a bank.

        Raises:
            BusyError: it is being exported or imported.
        """
        if bank in self._moved:
            raise BusyError(f"the bank {bank} is used by {self._moved[bank]}")

    def close(self) -> None:
        """Let others have the banks."""
        for bank in list(self._open):
            self.let_go(bank)
        if "banks" in self.__dict__:
            self.__dict__.pop("banks").close()
        if "changes" in self.__dict__:
            self.__dict__.pop("changes").close()

    def _make(self, bank: BankName) -> None:
        try:
            self.banks.resolve(str(bank))
        except NotFoundError:
            try:
                self.create(bank)
            except InputError:  # another worker has just made it, or else this says why it cannot be had
                self.banks.resolve(str(bank))


def open_patiently(banks: "Banks", bank: BankName) -> "PrototypeStore":
    """Open a bank, waiting a little for a process that is just ending.

    Raises:
        NotFoundError: there is none yet.
        InputError: it is broken.
        BusyError: another process holds it.
    """
    deadline = time.monotonic() + BANK_PATIENCE_SECONDS
    while True:
        try:
            return banks.open(bank)
        except BusyError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
