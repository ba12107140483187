"""Recipes: data files that name the repositories of a pack's models; where they and the bundled packs are."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.parameters import NOT_ESTIMATED, CommercialUse, GpuMemory, HubSource, PackParameters, RecipeFile
from freeda_svc.text_files import read_text

MANIFEST = "pack.toml"
_MINIATURE = Path(__file__).resolve().parent.parent / "miniature"
BUNDLED: Mapping[str, Path] = {"miniature": _MINIATURE / "weights", "miniature-wide": _MINIATURE / "wide_weights"}
"""Packs whose weights come with the code; ``make NAME`` trains them."""

_RECIPES = Path(__file__).resolve().parent / "bundled"

PAPER, FREE, FAST = "paper", "free", "fast"
STEPS_OF_FAST = 10


def bundled_recipes() -> dict[str, Path]:
    """Return the recipes that come with the code, by their packs' names; their weights are fetched."""
    return {path.stem: path for path in sorted(_RECIPES.glob("*.toml"))}


def kinds_of(commercial_use: Iterable[CommercialUse], steps: int, *, paper: bool) -> tuple[str, ...]:
    """Return what can be said of a pack in single words.

    Args:
        commercial_use: what the licence of each part says.
        steps: diffusion steps of an image.
        paper: whether its models are those of the paper.
    """
    words = {PAPER: paper, FREE: all(use == "free" for use in commercial_use), FAST: steps <= STEPS_OF_FAST}
    return tuple(word for word, holds in words.items() if holds)


@dataclass(frozen=True)
class PackRecipe:
    """The description of a pack before it is fetched.

    Attributes:
        name: what the pack is called; it is fetched into a folder of this name.
        version: of the pack.
        description: one line for a person.
        parameters: all its numbers.
        sources: one for each of the parts, keyed by its subfolder.
        named: what a person calls it on the command line: its name, or the path of its file.
        paper: whether its models are those of the paper.
        gpu_gigabytes: how much memory of a GPU it needs, estimated.
    """

    name: str
    version: str
    description: str
    parameters: PackParameters
    sources: Mapping[str, HubSource]
    named: str
    paper: bool = False
    gpu_gigabytes: GpuMemory = NOT_ESTIMATED

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which it is of: ``paper``, ``free``, ``fast``."""
        uses = [source.commercial_use for source in self.sources.values()]
        return kinds_of(uses, self.parameters.generation.steps, paper=self.paper)


def is_recipe(name_or_path: str) -> bool:
    """Return whether this names a recipe: a bundled one, or a TOML file that is not a pack's own ``pack.toml``."""
    path = Path(name_or_path)
    return name_or_path in bundled_recipes() or (path.suffix == ".toml" and path.name != MANIFEST)


def read_recipe(name_or_path: str) -> PackRecipe:
    """Read a recipe.

    Args:
        name_or_path: the name of a bundled one, or the path of a ``.toml`` file.

    Raises:
        NotFoundError: there is no such recipe.
        InputError: it is not valid; the message names the file and the key.
    """
    bundled = bundled_recipes()
    path = bundled.get(name_or_path, Path(name_or_path).expanduser())
    if not is_recipe(name_or_path) or not path.is_file():
        raise NotFoundError(
            f"there is no recipe '{name_or_path}' of a pack: give one of {', '.join(bundled)} or a .toml file"
        )
    read = RecipeFile.read(read_toml(path), where=str(path))
    if read.name in BUNDLED or (read.name in bundled and path != bundled[read.name]):
        raise InputError(f"{path}: the name {read.name} belongs to a bundled pack; choose another")
    return PackRecipe(
        name=read.name,
        version=read.version,
        description=read.description,
        parameters=read.parameters,
        sources=read.sources.by_part,
        named=name_or_path,
        paper=read.paper,
        gpu_gigabytes=read.gpu_gigabytes,
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: it is not UTF-8 text or valid TOML, or cannot be read; the message names it.
    """
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
