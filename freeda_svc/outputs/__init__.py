"""Output formats: masks, overlays, summaries, evidence, and files that other programs read."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

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

__all__ = [
    "DEFAULT_FORMATS",
    "ENDINGS",
    "EVIDENCE",
    "EVIDENCE_FORMATS",
    "EVIDENCE_PAGE",
    "FORMATS",
    "InputImage",
    "KeptResult",
    "MOST_COLOURS",
    "COLOURS_FILE",
    "SegmentedImage",
    "Stems",
    "UNKNOWN",
    "UNKNOWN_COLOUR",
    "check_formats",
    "check_one_list",
    "compose_prototype",
    "copy_whole",
    "distinct_stems",
    "draw_overlay",
    "extend_colours",
    "files_for_all",
    "files_of_image",
    "formats_of_one_list",
    "heat",
    "keep_result",
    "make_folder",
    "name_images",
    "palette",
    "read_labels",
    "read_thumbnail",
    "shown_colours",
    "summarise",
    "word_values",
    "write_collections",
    "write_evidence",
    "write_evidence_page",
    "write_image_files",
    "write_mask",
    "write_overlay",
    "write_summary",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.outputs.evidence_page": ("write_evidence", "write_evidence_page"),
        "freeda_svc.outputs.files": ("copy_whole", "make_folder"),
        "freeda_svc.outputs.formats": (
            "DEFAULT_FORMATS",
            "ENDINGS",
            "EVIDENCE_FORMATS",
            "FORMATS",
            "check_formats",
            "check_one_list",
            "files_for_all",
            "files_of_image",
            "formats_of_one_list",
            "write_collections",
            "write_image_files",
        ),
        "freeda_svc.outputs.image_names": ("InputImage", "Stems", "distinct_stems", "name_images"),
        "freeda_svc.outputs.kept": ("EVIDENCE", "EVIDENCE_PAGE", "KeptResult", "SegmentedImage", "keep_result"),
        "freeda_svc.outputs.masks": ("UNKNOWN", "read_labels", "write_mask"),
        "freeda_svc.outputs.overlays": ("draw_overlay", "write_overlay"),
        "freeda_svc.outputs.palettes": ("MOST_COLOURS", "UNKNOWN_COLOUR", "extend_colours", "palette"),
        "freeda_svc.outputs.prototype_pictures": ("compose_prototype", "heat", "read_thumbnail"),
        "freeda_svc.outputs.job_colours": ("COLOURS_FILE", "shown_colours"),
        "freeda_svc.outputs.summaries": ("summarise", "word_values", "write_summary"),
    },
)
