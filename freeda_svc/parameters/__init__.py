"""Every parameter, declared once: range, default, unit and description, as immutable pydantic models.

Reading a pack, a request and the command line's options all use these models, so that a wrong value is refused
everywhere in the same sentence (``InputError``): ``k is 0, but must be a whole number of at least 1``.

How to use it::

    from freeda_svc.parameters import Category, SegmentationOverrides, check_categories

    overrides = SegmentationOverrides(k=100, superpixels="slic")   # or .read({"k": 100}) for values from outside
    parameters = overrides.over(pack.parameters.segmentation)      # SegmentationParameters, complete and checked
    parameters = parameters.replace(beta=0.5)                      # another one; nothing changes in place
    parameters.model_dump(mode="json")                             # plain values, as results hold them
    categories = check_categories(["cat|kitten", Category("sky"), {"name": "water"}])
    request = SegmentationRequest.read(values); request.kept()     # a whole request, and as SQL keeps it
    SegmentationRequest.model_json_schema()                        # for an HTTP interface

A function that takes parameters as keywords passes them on: ``SegmentationOverrides.read(keywords)`` refuses unknown
names with the nearest known one. ``PLACES`` lists the names.

The room stands below all others and imports nothing but pydantic, so that a command, a worker and a notebook can check
what they are given before any model library is imported.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.parameters.categories import (
        LONGEST_TEXT,
        MOST_TEXTS,
        Category,
        CategoryChoice,
        background_category,
        check_categories,
        fold_text,
        parse_categories,
        parse_category,
        read_category,
    )
    from freeda_svc.parameters.choices import (
        Activation,
        Aggregation,
        AttributionMethod,
        CommercialUse,
        LocalSimilarity,
        Origin,
        OverlapWay,
        RefinementWay,
        RegionWay,
        SuperpixelAlgorithm,
        SynonymWay,
        UnknownWay,
        VocabularyName,
        WindowWay,
    )
    from freeda_svc.parameters.model import Model
    from freeda_svc.parameters.overrides import PLACES, SegmentationOverrides
    from freeda_svc.parameters.packs import (
        MASK_GENERATOR,
        NOT_ESTIMATED,
        PARTS,
        AttributionParameters,
        GenerationParameters,
        GpuMemory,
        HubSource,
        PackFile,
        PackParameters,
        PrototypeParameters,
        RecipeFile,
        Source,
    )
    from freeda_svc.parameters.requests import Colour, SegmentationRequest
    from freeda_svc.parameters.segmentation import (
        PieceParameters,
        ProposalParameters,
        RefinementParameters,
        RegionParameters,
        SegmentationParameters,
        SuperpixelParameters,
        UnknownParameters,
    )
    from freeda_svc.parameters.sentences import (
        CALLED,
        EXPECTED,
        WRITE_ONLY,
        expectation,
        field_schema,
        first_of,
        limits,
        sentence_of,
        unknown_name,
        wrong_value,
    )
else:
    __getattr__ = shown_names(__name__, __file__)[0]

__all__ = [
    "CALLED",
    "EXPECTED",
    "WRITE_ONLY",
    "Activation",
    "Aggregation",
    "AttributionMethod",
    "AttributionParameters",
    "Category",
    "CategoryChoice",
    "Colour",
    "CommercialUse",
    "GenerationParameters",
    "GpuMemory",
    "HubSource",
    "LONGEST_TEXT",
    "LocalSimilarity",
    "MASK_GENERATOR",
    "MOST_TEXTS",
    "Model",
    "NOT_ESTIMATED",
    "Origin",
    "OverlapWay",
    "PARTS",
    "PLACES",
    "PackFile",
    "PackParameters",
    "PieceParameters",
    "ProposalParameters",
    "PrototypeParameters",
    "RecipeFile",
    "RefinementParameters",
    "RefinementWay",
    "RegionParameters",
    "RegionWay",
    "SegmentationOverrides",
    "SegmentationParameters",
    "SegmentationRequest",
    "Source",
    "SuperpixelAlgorithm",
    "SuperpixelParameters",
    "SynonymWay",
    "UnknownParameters",
    "UnknownWay",
    "VocabularyName",
    "WindowWay",
    "background_category",
    "check_categories",
    "expectation",
    "field_schema",
    "first_of",
    "fold_text",
    "limits",
    "parse_categories",
    "parse_category",
    "read_category",
    "sentence_of",
    "unknown_name",
    "wrong_value",
]
