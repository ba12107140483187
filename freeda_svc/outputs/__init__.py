"""Files that a segmentation is handed over in: masks, pictures to look at, summaries."""

from freeda_svc.outputs.masks import write_mask
from freeda_svc.outputs.overlays import draw_overlay, write_overlay
from freeda_svc.outputs.palettes import MOST_COLOURS, palette
from freeda_svc.outputs.prototype_pictures import compose_prototype, heat
from freeda_svc.outputs.summaries import summarise, write_summary

__all__ = [
    "MOST_COLOURS",
    "compose_prototype",
    "draw_overlay",
    "heat",
    "palette",
    "summarise",
    "write_mask",
    "write_overlay",
    "write_summary",
]
