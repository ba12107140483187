"""What a pack says about itself in its ``pack.toml``, read without loading a model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.packs.kinds import CommercialUse, kinds_of
from freeda_svc.packs.parameters import AttributionParameters, PackParameters
from freeda_svc.packs.places import BUNDLED, MANIFEST, PARTS, bundled_recipes, is_below
from freeda_svc.packs.recipes import check_activation, is_recipe, read_parts, read_recipe, read_toml
from freeda_svc.packs.tables import read_table

PROTOTYPE_RECIPE = 2
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
        repository: ``owner/name`` on the model hub; empty when it did not come from there.
        revision: the commit it was fetched at.
        activation: of an image-text model, ``gelu``, ``quick_gelu`` or ``gelu_tanh``; empty when nobody said.
        commercial_use: ``free``, ``conditions`` or ``restricted``, as its licence says; empty when nobody said.
    """

    description: str
    licence: str
    origin: str
    repository: str = ""
    revision: str = ""
    activation: str = ""
    commercial_use: CommercialUse = ""


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
        remedy: what to do when a file is missing or damaged.
    """

    name: str
    version: str
    description: str
    folder: Path
    parameters: PackParameters
    sources: Mapping[str, Source]
    files: Mapping[str, str]
    nouns: frozenset[str] | None = None
    remedy: str = "copy the pack again from where it came from"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which it is of: ``free``, ``fast``; that one is the paper's, only its recipe says."""
        uses = [source.commercial_use for source in self.sources.values()]
        return kinds_of(uses, self.parameters.generation.steps, paper=False)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs that make the same prototypes and keys have the same.

        They follow from the models' checksums and from the parameters of generation, prototypes and encoders, not
        from the size of batches nor from how images are segmented.
        """
        # Nor from device and precision: they move a prototype by rounding only, far less than another caption would,
        # and a bank that a GPU filled must answer on a machine without one.
        numbers = asdict(self.parameters)
        del numbers["segmentation"], numbers["generation"]["batch_size"]
        if self.parameters.generation.attribution == AttributionParameters():
            del numbers["generation"]["attribution"]  # banks that were filled before it could be chosen
        content = json.dumps([PROTOTYPE_RECIPE, sorted(self.files.items()), numbers], sort_keys=True)
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]

    @cached_property
    def encoders_fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs whose prototypes can stand in one bank have the same.

        They have the same backbone and image-text model, file by file, at the same sizes, and the same share of the
        noun in a key. What draws the images, and how its attention is read, may differ.
        """
        numbers = self.parameters
        files = sorted((path, checksum) for path, checksum in self.files.items() if not path.startswith("generator/"))
        sizes = [numbers.backbone_size, numbers.image_text_size, numbers.prototypes.alpha]
        content = json.dumps(["encoders", PROTOTYPE_RECIPE, files, sizes])
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]

    @property
    def generator(self) -> str:
        """What its generator is called: the repository it came from, or else the pack's own name."""
        return self.sources["generator"].repository or self.name

    def fits(self, bank_pack: str) -> bool:
        """Tell whether a bank can be filled and asked with this pack.

        Args:
            bank_pack: what the bank says it is for: the encoders', or, of one made before packs could be mixed, the
                fingerprint of its only pack.
        """
        return bank_pack in {self.encoders_fingerprint, self.fingerprint}


def find_pack(name_or_path: str, folder: Path | None = None) -> tuple[Path, str]:
    """Find the folder of a pack, and what a person calls its recipe (empty when it has none).

    Args:
        name_or_path: ``miniature``, the name of a bundled recipe or of a fetched pack, the path of a recipe, or the
            path of a folder with a ``pack.toml``.
        folder: holds the packs that were fetched; None when there is none.

    Raises:
        NotFoundError: there is no such pack, or it was not fetched yet.
        InputError: it is a recipe that is not valid.
    """
    if is_recipe(name_or_path):
        name = read_recipe(name_or_path).name
        if folder is not None and (folder / name / MANIFEST).is_file():
            return folder / name, name_or_path
        where = f"is not in {folder}" if folder is not None else "is fetched first, and the packs' folder is given"
        raise NotFoundError(f"the pack {name} {where}; run: freeda packs fetch {name_or_path}")
    if folder is not None and Path(name_or_path).name == name_or_path and (folder / name_or_path / MANIFEST).is_file():
        return folder / name_or_path, ""
    place = BUNDLED.get(name_or_path, Path(name_or_path).expanduser())
    if not (place / MANIFEST).is_file():
        known = ", ".join((*BUNDLED, *bundled_recipes()))
        raise NotFoundError(
            f"there is no pack '{name_or_path}': give the name of a bundled one ({known}), a folder with a {MANIFEST}, "
            "or a .toml file that says where its models are fetched"
        )
    return place, ""


def read_pack_parameters(name_or_path: str, folder: Path | None = None) -> PackDescription:
    """Read a pack's ``pack.toml``; no model is loaded and no model library is imported.

    Args:
        name_or_path: as ``find_pack`` takes it.
        folder: holds the packs that were fetched; None when there is none.

    Raises:
        NotFoundError: there is no such pack, or it was not fetched yet.
        InputError: its ``pack.toml`` is not valid; the message names the file and the key.
    """
    place, recipe = find_pack(name_or_path, folder)
    path = place / MANIFEST
    content = read_toml(path)
    nouns = _read_nouns(content.pop("nouns", None), path)
    tables = {key: content.pop(key, {}) for key in ("parameters", "sources", "files")}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise InputError(f"{path}: {key} must be a table")
    identity = read_table(_Identity, content, path, "")
    remedy = {"remedy": f"run: freeda packs fetch {recipe}"} if recipe else {}
    return PackDescription(
        name=identity.name,
        version=identity.version,
        description=identity.description,
        folder=place,
        parameters=read_table(PackParameters, tables["parameters"], path, "parameters."),
        sources=_read_sources(tables["sources"], path),
        files=_read_files(tables["files"], path),
        nouns=nouns,
        **remedy,
    )


def _read_nouns(value: object, path: Path) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(noun, str) for noun in value):
        raise InputError(f"{path}: nouns must be a list of texts; leave it out where the models know the open world")
    return frozenset(value)


def _read_sources(table: dict[str, Any], path: Path) -> dict[str, Source]:
    parts = read_parts(table, path)
    sources = {part: read_table(Source, parts.get(part), path, f"sources.{part}.") for part in PARTS}
    for part, source in sources.items():
        check_activation(source.activation, path, part)
    return sources


def _read_files(table: dict[str, Any], path: Path) -> dict[str, str]:
    for name, checksum in table.items():
        if not is_below(name) or PurePosixPath(name).parts[0] not in PARTS:
            raise InputError(f'{path}: files."{name}" must lie in one of the folders {", ".join(PARTS)}')
        if not isinstance(checksum, str) or len(checksum) != _SHA256_DIGITS or not set(checksum) <= _HEXADECIMAL:
            raise InputError(
                f'{path}: files."{name}" must be a sha256 of {_SHA256_DIGITS} lower-case hexadecimal digits'
            )
    for part in PARTS:
        if not any(name.startswith(f"{part}/") for name in table):
            raise InputError(f"{path}: [files] lists no file of {part}/")
    return table
