"""Where packs lie and what their parts are called."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

MANIFEST = "pack.toml"
PARTS = ("generator", "backbone", "image_text")
BUNDLED: Mapping[str, Path] = {"miniature": Path(__file__).resolve().parent.parent / "miniature" / "weights"}
"""Packs whose weights come with the code."""

_RECIPES = Path(__file__).resolve().parent / "bundled"


def bundled_recipes() -> dict[str, Path]:
    """Return the recipes that come with the code, by their packs' names; their weights are fetched."""
    return {path.stem: path for path in sorted(_RECIPES.glob("*.toml"))}


def is_below(name: str) -> bool:
    """Tell whether a path, written with slashes, stays below the folder it is relative to."""
    place = PurePosixPath(name)
    return bool(place.parts) and not place.is_absolute() and ".." not in place.parts and "\\" not in name
