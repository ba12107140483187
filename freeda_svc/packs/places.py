"""Where packs lie and what their parts are called."""

from collections.abc import Mapping
from pathlib import Path

MANIFEST = "pack.toml"
BUNDLED: Mapping[str, Path] = {"miniature": Path(__file__).resolve().parent.parent / "miniature" / "weights"}
"""Packs whose weights come with the code."""

_RECIPES = Path(__file__).resolve().parent / "bundled"


def bundled_recipes() -> dict[str, Path]:
    """Return the recipes that come with the code, by their packs' names; their weights are fetched."""
    return {path.stem: path for path in sorted(_RECIPES.glob("*.toml"))}
