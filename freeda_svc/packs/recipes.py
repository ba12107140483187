"""Recipes: data files that name the repositories of a pack's models, from which a pack is fetched."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.packs.kinds import NOT_ESTIMATED, CommercialUse, GpuMemory, kinds_of
from freeda_svc.packs.parameters import PackParameters
from freeda_svc.packs.places import BUNDLED, MANIFEST, PARTS, bundled_recipes, is_below
from freeda_svc.packs.tables import read_table
from freeda_svc.text_files import read_text

ACTIVATIONS = ("gelu", "quick_gelu", "gelu_tanh")
FETCHED_ENDINGS = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""Weights come as safetensors only: what else holds weights can hold a program. A chat template (jinja) is a text that
transformers fills in a sandbox."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class HubSource:
    """Where one part of a pack is fetched from.

    Attributes:
        description: what it is.
        licence: under which terms it may be used.
        repository: ``owner/name`` on the model hub.
        files: paths in the repository; they keep their places below the part's folder.
        revision: branch, tag or commit; the repository's main branch when empty.
        megabytes: about how much is fetched; 0 when nobody knows.
        activation: of an image-text model, ``gelu``, ``quick_gelu`` or ``gelu_tanh`` (of its text encoder); a model
            that computes with another is refused.
        commercial_use: ``free``, ``conditions`` or ``restricted``, as its licence says; empty when nobody said.
    """

    description: str
    licence: str
    repository: str
    files: tuple[str, ...]
    revision: str = ""
    megabytes: int = 0
    activation: str = ""
    commercial_use: CommercialUse = ""


@dataclass(frozen=True)
class PackRecipe:
    """What a pack is made of, before it is fetched.

    Attributes:
        name: what the pack is called; it is fetched into a folder of this name.
        version: of the pack.
        description: one line for a person.
        parameters: all its numbers.
        sources: one for each of the three parts, keyed by its subfolder.
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


@dataclass(frozen=True)
class _Identity:
    name: str
    version: str
    description: str
    paper: bool = False
    gpu_gigabytes: GpuMemory = NOT_ESTIMATED


def is_recipe(name_or_path: str) -> bool:
    """Tell whether this names a recipe: a bundled one, or a TOML file that is not a pack's own ``pack.toml``."""
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
    content = read_toml(path)
    sources = content.pop("sources", None)
    numbers = content.pop("parameters", None)
    identity = read_table(_Identity, content, path, "")
    if not _NAME.fullmatch(identity.name):
        raise InputError(f"{path}: name must be letters, digits, '.', '_' and '-', not {identity.name!r}")
    if identity.name in BUNDLED or (identity.name in bundled and path != bundled[identity.name]):
        raise InputError(f"{path}: the name {identity.name} belongs to a bundled pack; choose another")
    return PackRecipe(
        name=identity.name,
        version=identity.version,
        description=identity.description,
        parameters=read_table(PackParameters, numbers, path, "parameters."),
        sources=_read_sources(sources, path),
        named=name_or_path,
        paper=identity.paper,
        gpu_gigabytes=identity.gpu_gigabytes,
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


def read_parts(table: object, path: Path) -> dict[str, Any]:
    """Check that ``sources`` is a table with no parts but the three.

    Raises:
        InputError: it is not.
    """
    if not isinstance(table, dict):
        raise InputError(f"{path}: the table sources is missing")
    unknown = sorted(table.keys() - set(PARTS))
    if unknown:
        raise InputError(f"{path}: unknown part sources.{unknown[0]}; the parts are {', '.join(PARTS)}")
    return table


def check_activation(activation: str, path: Path, part: str) -> None:
    """Refuse an activation that is none.

    Raises:
        InputError: it is neither empty nor known.
    """
    if activation and activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise InputError(f"{path}: sources.{part}.activation must be one of {known}, not {activation!r}")


def _read_sources(table: object, path: Path) -> dict[str, HubSource]:
    parts = read_parts(table, path)
    sources = {part: read_table(HubSource, parts.get(part), path, f"sources.{part}.") for part in PARTS}
    for part, source in sources.items():
        key = f"{path}: sources.{part}"
        if not _REPOSITORY.fullmatch(source.repository):
            raise InputError(f"{key}.repository must be owner/name on the model hub, not {source.repository!r}")
        check_activation(source.activation, path, part)
        if not source.files or len(set(source.files)) != len(source.files):
            raise InputError(f"{key}.files must list at least one file, and each once")
        for name in source.files:
            _check_file(name, key)
    return sources


def _check_file(name: str, key: str) -> None:
    if not is_below(name) or any(place.startswith(".") for place in PurePosixPath(name).parts):
        raise InputError(f"{key}.files: {name!r} must be a path in the repository, without '..' and hidden folders")
    if PurePosixPath(name).suffix not in FETCHED_ENDINGS:
        raise InputError(
            f"{key}.files: {name!r} is not fetched: weights come as .safetensors only, what describes them as "
            f"{', '.join(FETCHED_ENDINGS[1:])}"
        )
