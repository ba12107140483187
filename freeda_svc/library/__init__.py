"""The library's front door: banks, a segmenter and its results, without a service; ``freeda_svc`` shows its names.

A thin layer: models come from packs, prototypes from the builders, masks from the segmenter, files from the outputs.
What this room adds is the checking of arguments that a person types in a notebook, and results that show themselves.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.library.bank import Added, Bank
    from freeda_svc.library.opening import open_bank
    from freeda_svc.library.result import Result
    from freeda_svc.library.saving import save_results
    from freeda_svc.library.segmenter import Segmenter
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
