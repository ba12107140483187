"""The demonstration on the miniature world."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.demo.run import run_demo
    from freeda_svc.demo.samples import write_samples
    from freeda_svc.demo.world import TEST_SPLIT, DemoPlan, distinct_captions, write_captions
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
