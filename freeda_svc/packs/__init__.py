"""Model packs: three models with their parameters, sources and checksums in one folder.

Reading a description imports no model library; models are read when they are first asked for.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.packs.description import PackDescription, find_pack, read_pack_parameters
    from freeda_svc.packs.fetching import fetch_pack
    from freeda_svc.packs.listing import describe_pack, describe_pack_shortly, pack_names
    from freeda_svc.packs.loading import Pack, load_pack
    from freeda_svc.packs.manifest import check_files, verify_part, write_pack_manifest
    from freeda_svc.packs.precision import (
        PRECISIONS,
        RUNTIMES,
        Computing,
        Precision,
        Runtime,
        choose_computing,
        describe_computing,
        describe_encoders,
        encoder_compiler,
        processor_rounds_to_bfloat16,
    )
    from freeda_svc.packs.recipes import BUNDLED, MANIFEST, PackRecipe, bundled_recipes, is_recipe, read_recipe

__all__ = [
    "BUNDLED",
    "Computing",
    "MANIFEST",
    "PRECISIONS",
    "Pack",
    "PackDescription",
    "PackRecipe",
    "Precision",
    "RUNTIMES",
    "Runtime",
    "bundled_recipes",
    "check_files",
    "choose_computing",
    "describe_computing",
    "describe_encoders",
    "describe_pack",
    "describe_pack_shortly",
    "encoder_compiler",
    "fetch_pack",
    "find_pack",
    "is_recipe",
    "load_pack",
    "pack_names",
    "processor_rounds_to_bfloat16",
    "read_pack_parameters",
    "read_recipe",
    "verify_part",
    "write_pack_manifest",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.packs.description": ("PackDescription", "find_pack", "read_pack_parameters"),
        "freeda_svc.packs.fetching": ("fetch_pack",),
        "freeda_svc.packs.listing": ("describe_pack", "describe_pack_shortly", "pack_names"),
        "freeda_svc.packs.loading": ("Pack", "load_pack"),
        "freeda_svc.packs.manifest": ("check_files", "verify_part", "write_pack_manifest"),
        "freeda_svc.packs.precision": (
            "PRECISIONS",
            "RUNTIMES",
            "Computing",
            "Precision",
            "Runtime",
            "choose_computing",
            "describe_computing",
            "describe_encoders",
            "encoder_compiler",
            "processor_rounds_to_bfloat16",
        ),
        "freeda_svc.packs.recipes": (
            "BUNDLED",
            "MANIFEST",
            "PackRecipe",
            "bundled_recipes",
            "is_recipe",
            "read_recipe",
        ),
    },
)
