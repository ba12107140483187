"""What is shown of packs: those that are here, and the recipes of others."""

from pathlib import Path
from typing import Any

from freeda_svc.errors import FreedaError, NotFoundError
from freeda_svc.packs.description import PackDescription, read_pack_parameters
from freeda_svc.packs.recipes import BUNDLED, MANIFEST, PackRecipe, bundled_recipes, is_recipe, read_recipe
from freeda_svc.parameters import NOT_ESTIMATED

_MEGABYTE = 1 << 20


def pack_names(folder: Path) -> list[str]:
    """Return the names of all packs: bundled ones, those with recipes, and others that were fetched.

    Args:
        folder: of the packs that were fetched.
    """
    names = [*BUNDLED, *bundled_recipes()]
    fetched = (path.parent.name for path in sorted(folder.glob(f"[!.]*/{MANIFEST}")))
    return [*names, *(name for name in fetched if name not in names)]


def describe_pack_shortly(name: str, folder: Path) -> dict[str, Any]:
    """Describe a pack in a line; one whose file is not valid is listed with what is wrong."""
    try:
        long = describe_pack(name, folder)
    except FreedaError as error:
        unknown: dict[str, Any] = {"kinds": [], "megabytes": None, "gpu_gigabytes": NOT_ESTIMATED.model_dump()}
        return {"name": name, "state": "not valid", **unknown, "description": str(error)}
    return {key: long[key] for key in ("name", "state", "kinds", "megabytes", "gpu_gigabytes", "description")}


def describe_pack(name: str, folder: Path) -> dict[str, Any]:
    """Describe a pack with its models, licences and parameters, or the recipe that it would be fetched by.

    Args:
        name: of a pack, or the path of one or of a recipe.
        folder: of the packs that were fetched.

    Raises:
        InputError: its file is not valid.
        NotFoundError: there is none of that name.
    """
    recipe = read_recipe(name) if is_recipe(name) else None
    try:
        answer = _of_description(read_pack_parameters(name, folder), name)
    except NotFoundError:
        if recipe is None:
            raise
        return _of_recipe(recipe)
    return answer if recipe is None else {**answer, **_only_in_recipe(recipe)}


def _of_description(description: PackDescription, name: str) -> dict[str, Any]:
    sizes = [(description.folder / path) for path in description.files]
    here = sum(path.stat().st_size for path in sizes if path.is_file())
    whole = all(path.is_file() for path in sizes)
    return {
        "name": description.name,
        "version": description.version,
        "description": description.description,
        "state": ("bundled" if name in BUNDLED else "here") if whole else "files are missing",
        "folder": str(description.folder),
        "fingerprint": description.fingerprint,
        "encoders": description.encoders_fingerprint,
        "kinds": list(description.kinds),
        "gpu_gigabytes": NOT_ESTIMATED.model_dump(),
        "megabytes": round(here / _MEGABYTE),
        "sources": {part: source.model_dump() for part, source in description.sources.items()},
        "parameters": description.parameters.model_dump(),
        "files": dict(description.files),
    }


def _of_recipe(recipe: PackRecipe) -> dict[str, Any]:
    sizes = [source.megabytes for source in recipe.sources.values()]
    return {
        "name": recipe.name,
        "version": recipe.version,
        "description": recipe.description,
        "state": "not fetched",
        "folder": None,
        "fingerprint": None,
        "encoders": None,
        **_only_in_recipe(recipe),
        "megabytes": sum(sizes) if all(sizes) else None,
        "sources": {part: source.model_dump() for part, source in recipe.sources.items()},
        "parameters": recipe.parameters.model_dump(),
        "files": None,
    }


def _only_in_recipe(recipe: PackRecipe) -> dict[str, Any]:
    """Return what a fetched pack does not say of itself."""
    return {"kinds": list(recipe.kinds), "gpu_gigabytes": recipe.gpu_gigabytes.model_dump()}
