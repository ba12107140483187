"""Model packs: three models with their parameters, sources and checksums in one folder.

Reading a description imports no model library; models are read at their first use.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

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
        encoder_precision,
        processor_rounds_to_bfloat16,
    )
    from freeda_svc.packs.recipes import (
        BUNDLED,
        MANIFEST,
        PackRecipe,
        bundled_recipes,
        is_recipe,
        read_recipe,
    )
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
