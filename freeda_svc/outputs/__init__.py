"""Output formats: masks, overlays, summaries, evidence, and files that other programs read."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.outputs.evidence_page import write_evidence, write_evidence_page
    from freeda_svc.outputs.files import copy_whole, make_folder
    from freeda_svc.outputs.formats import (
        DEFAULT_FORMATS,
        ENDINGS,
        EVIDENCE_FORMATS,
        FORMATS,
        check_formats,
        check_one_list,
        files_for_all,
        files_of_image,
        formats_of_one_list,
        write_collections,
        write_image_files,
    )
    from freeda_svc.outputs.image_names import InputImage, Stems, distinct_stems, name_images
    from freeda_svc.outputs.job_colours import COLOURS_FILE, shown_colours
    from freeda_svc.outputs.kept import EVIDENCE, EVIDENCE_PAGE, KeptResult, SegmentedImage, keep_result
    from freeda_svc.outputs.masks import UNKNOWN, read_labels, write_mask
    from freeda_svc.outputs.overlays import draw_overlay, write_overlay
    from freeda_svc.outputs.palettes import MOST_COLOURS, UNKNOWN_COLOUR, extend_colours, palette
    from freeda_svc.outputs.prototype_pictures import compose_prototype, heat, read_thumbnail
    from freeda_svc.outputs.summaries import summarise, word_values, write_summary
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
