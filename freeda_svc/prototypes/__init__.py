"""Prototypes and their keys: pooled from generated images of captions, or from a person's own images and masks."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

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
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
