"""What a pack says about itself in its ``pack.toml``, read without loading a model."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.packs.parameters import PackParameters
from freeda_svc.packs.tables import read_table

MANIFEST = "pack.toml"
PARTS = ("generator", "backbone", "image_text")
BUNDLED: Mapping[str, Path] = {"miniature": Path(__file__).resolve().parent.parent / "miniature" / "weights"}

PROTOTYPE_RECIPE = 1
"""Raised whenever the code makes other prototypes or keys out of the same models, captions and parameters."""

_HEXADECIMAL = frozenset("0123456789abcdef")
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Source:
    """Where a part of a pack comes from.

    Attributes:
        description: what it is.
        licence: under which terms it may be used.
        origin: where it was taken from, with its revision.
    """

    description: str
    licence: str
    origin: str


@dataclass(frozen=True)
class _Identity:
    name: str
    version: str
    description: str


@dataclass(frozen=True)
class PackDescription:
    """A pack without its models.

    Attributes:
        name: what the pack is called.
        version: of the pack.
        description: one line for a person.
        folder: where it lies.
        parameters: all its numbers.
        sources: what each of the three parts is, keyed by its subfolder.
        files: sha256, hexadecimal, of every file, keyed by its path below the folder.
        nouns: the nouns its models were trained on; None when they know the open world.
    """

    name: str
    version: str
    description: str
    folder: Path
    parameters: PackParameters
    sources: Mapping[str, Source]
    files: Mapping[str, str]
    nouns: frozenset[str] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs that make the same prototypes and keys have the same.

        They follow from the models' checksums and from the parameters of generation, prototypes and encoders, not
        from the size of batches nor from how images are segmented.
        """
        numbers = asdict(self.parameters)
        del numbers["segmentation"], numbers["generation"]["batch_size"]
        content = json.dumps([PROTOTYPE_RECIPE, sorted(self.files.items()), numbers], sort_keys=True)
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]


def find_pack(name_or_path: str) -> Path:
    """Return the folder of a bundled pack's name, or of a path.

    Raises:
        NotFoundError: there is neither a bundled pack of that name nor a folder with a ``pack.toml``.
    """
    folder = BUNDLED.get(name_or_path, Path(name_or_path).expanduser())
    if not (folder / MANIFEST).is_file():
        known = ", ".join(BUNDLED)
        raise NotFoundError(
            f"there is no pack '{name_or_path}': give the name of a bundled one ({known}) or a folder with a {MANIFEST}"
        )
    return folder


def read_pack_parameters(name_or_path: str) -> PackDescription:
    """Read a pack's ``pack.toml``; no model is loaded and no model library is imported.

    Args:
        name_or_path: ``miniature``, or the path of a folder.

    Raises:
        NotFoundError: there is no such pack.
        InputError: its ``pack.toml`` is not valid; the message names the file and the key.
    """
    folder = find_pack(name_or_path)
    path = folder / MANIFEST
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    nouns = _read_nouns(content.pop("nouns", None), path)
    tables = {key: content.pop(key, {}) for key in ("parameters", "sources", "files")}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise InputError(f"{path}: {key} must be a table")
    identity = read_table(_Identity, content, path, "")
    return PackDescription(
        name=identity.name,
        version=identity.version,
        description=identity.description,
        folder=folder,
        parameters=read_table(PackParameters, tables["parameters"], path, "parameters."),
        sources=_read_sources(tables["sources"], path),
        files=_read_files(tables["files"], path),
        nouns=nouns,
    )


def _read_nouns(value: object, path: Path) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(noun, str) for noun in value):
        raise InputError(f"{path}: nouns must be a list of texts; leave it out where the models know the open world")
    return frozenset(value)


def _read_sources(table: dict[str, Any], path: Path) -> dict[str, Source]:
    unknown = sorted(table.keys() - set(PARTS))
    if unknown:
        raise InputError(f"{path}: unknown part sources.{unknown[0]}; the parts are {', '.join(PARTS)}")
    return {part: read_table(Source, table.get(part), path, f"sources.{part}.") for part in PARTS}


def _read_files(table: dict[str, Any], path: Path) -> dict[str, str]:
    for name, checksum in table.items():
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or place.parts[0] not in PARTS:
            raise InputError(f'{path}: files."{name}" must lie in one of the folders {", ".join(PARTS)}')
        if not isinstance(checksum, str) or len(checksum) != _SHA256_DIGITS or not set(checksum) <= _HEXADECIMAL:
            raise InputError(
                f'{path}: files."{name}" must be a sha256 of {_SHA256_DIGITS} lower-case hexadecimal digits'
            )
    for part in PARTS:
        if not any(name.startswith(f"{part}/") for name in table):
            raise InputError(f"{path}: [files] lists no file of {part}/")
    return table
