"""Files that a segmentation is handed over in: masks, pictures to look at, summaries."""

from freeda_svc.outputs.masks import write_mask
from freeda_svc.outputs.overlays import draw_overlay, write_overlay
from freeda_svc.outputs.palettes import MOST_COLOURS, palette
from freeda_svc.outputs.summaries import summarise, write_summary

__all__ = ["MOST_COLOURS", "draw_overlay", "palette", "summarise", "write_mask", "write_overlay", "write_summary"]
