"""The demonstration on the miniature world."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.demo.run import run_demo
    from freeda_svc.demo.samples import write_samples
    from freeda_svc.demo.world import TEST_SPLIT, DemoPlan, distinct_captions, write_captions

__all__ = [
    "DemoPlan",
    "TEST_SPLIT",
    "distinct_captions",
    "run_demo",
    "write_captions",
    "write_samples",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.demo.run": ("run_demo",),
        "freeda_svc.demo.samples": ("write_samples",),
        "freeda_svc.demo.world": ("DemoPlan", "TEST_SPLIT", "distinct_captions", "write_captions"),
    },
)
