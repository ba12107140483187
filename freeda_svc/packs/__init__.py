"""Model packs: three models with their parameters, sources and checksums in one folder.

Reading a description imports no model library; models are read when they are first asked for.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.packs.description import PackDescription, read_pack_parameters
    from freeda_svc.packs.loading import Pack, load_pack
    from freeda_svc.packs.manifest import check_files, verify_part, write_pack_manifest
    from freeda_svc.packs.precision import PRECISIONS, Precision
    from freeda_svc.packs.recipes import PackRecipe, is_recipe, read_recipe

__all__ = [
    "Pack",
    "load_pack",
    "PackDescription",
    "read_pack_parameters",
    "write_pack_manifest",
    "verify_part",
    "check_files",
    "PackRecipe",
    "is_recipe",
    "read_recipe",
    "Precision",
    "PRECISIONS",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.packs.description": (
            "PackDescription",
            "read_pack_parameters",
        ),
        "freeda_svc.packs.loading": (
            "Pack",
            "load_pack",
        ),
        "freeda_svc.packs.manifest": (
            "check_files",
            "verify_part",
            "write_pack_manifest",
        ),
        "freeda_svc.packs.precision": (
            "PRECISIONS",
            "Precision",
        ),
        "freeda_svc.packs.recipes": (
            "PackRecipe",
            "is_recipe",
            "read_recipe",
        ),
    },
)
