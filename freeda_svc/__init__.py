"""FreeDA: open-vocabulary segmentation without training, as a library and as a service.

>>> import freeda_svc
>>> bank = freeda_svc.open_bank("photos", pack="miniature")  # doctest: +SKIP
>>> bank.add_captions(["a boat on the water"])  # doctest: +SKIP
>>> result = freeda_svc.Segmenter(bank).segment("photo.jpg", ["boat|ship", "water", "sky"])  # doctest: +SKIP

docs/library.md describes the library. Names are imported when they are first used; no model library is imported
before a model is needed.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freeda_svc.client import Client
    from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
    from freeda_svc.library import Added, Bank, Result, Segmenter, open_bank, save_results
    from freeda_svc.segmentation import Category, Evidence, Proposals

    __version__: str

__all__ = [
    "open_bank",
    "Bank",
    "Added",
    "Segmenter",
    "Category",
    "Result",
    "Proposals",
    "Evidence",
    "save_results",
    "Client",
    "FreedaError",
    "InputError",
    "NotFoundError",
    "BusyError",
    "UnavailableError",
    "__version__",
]

if not TYPE_CHECKING:  # a type checker would take any name for one of these

    def __getattr__(name: str) -> object:
        from freeda_svc.lazy_names import shown_names  # noqa: PLC0415 - only this module's importers pay for it

        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - takes longer than all of this module

            return version("freeda-svc")
        return shown_names(__name__, __file__)[0](name)

    def __dir__() -> list[str]:
        return sorted(__all__)
