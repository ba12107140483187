"""Prototypes and their keys: pooled from generated images of captions, or from a person's own images and masks."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.prototypes.annotated_images import read_annotated_images
    from freeda_svc.prototypes.annotations import AnnotationTally
    from freeda_svc.prototypes.appearance import Region, embed_regions
    from freeda_svc.prototypes.builder import BuildResult, PrototypeBuilder
    from freeda_svc.prototypes.equations import make_keys, pool_prototype
    from freeda_svc.prototypes.exemplar_builder import ExemplarBuilder
    from freeda_svc.prototypes.exemplar_files import MarkedImage, read_marked_images, read_segmented_image
    from freeda_svc.prototypes.exemplars import Exemplar, make_exemplar, tidy_noun
    from freeda_svc.prototypes.object_windows import make_photo, window_around
    from freeda_svc.prototypes.record import (
        EXEMPLAR,
        IMPORTED,
        LARGEST_VALUE,
        ORIGINS,
        Prototype,
        is_storable,
        is_unit,
    )

__all__ = [
    "Prototype",
    "ORIGINS",
    "EXEMPLAR",
    "IMPORTED",
    "LARGEST_VALUE",
    "is_storable",
    "is_unit",
    "pool_prototype",
    "make_keys",
    "PrototypeBuilder",
    "BuildResult",
    "Region",
    "embed_regions",
    "Exemplar",
    "make_exemplar",
    "tidy_noun",
    "ExemplarBuilder",
    "MarkedImage",
    "read_marked_images",
    "read_segmented_image",
    "read_annotated_images",
    "AnnotationTally",
    "make_photo",
    "window_around",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.prototypes.annotated_images": ["read_annotated_images"],
        "freeda_svc.prototypes.annotations": ["AnnotationTally"],
        "freeda_svc.prototypes.appearance": ["Region", "embed_regions"],
        "freeda_svc.prototypes.builder": ["BuildResult", "PrototypeBuilder"],
        "freeda_svc.prototypes.equations": ["make_keys", "pool_prototype"],
        "freeda_svc.prototypes.exemplar_builder": ["ExemplarBuilder"],
        "freeda_svc.prototypes.exemplar_files": ["MarkedImage", "read_marked_images", "read_segmented_image"],
        "freeda_svc.prototypes.exemplars": ["Exemplar", "make_exemplar", "tidy_noun"],
        "freeda_svc.prototypes.object_windows": ["make_photo", "window_around"],
        "freeda_svc.prototypes.record": [
            "EXEMPLAR",
            "IMPORTED",
            "LARGEST_VALUE",
            "ORIGINS",
            "Prototype",
            "is_storable",
            "is_unit",
        ],
    },
)
