"""What a pack says about itself in its ``pack.toml``, read without loading a model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from freeda_svc.errors import NotFoundError
from freeda_svc.packs.recipes import (
    BUNDLED,
    MANIFEST,
    bundled_recipes,
    is_recipe,
    kinds_of,
    read_recipe,
    read_toml,
)
from freeda_svc.parameters import MASK_GENERATOR, AttributionParameters, PackFile, PackParameters, Source

PROTOTYPE_RECIPE = 2
"""Raised whenever the code makes other prototypes or keys out of the same models, captions and parameters."""


@dataclass(frozen=True)
class PackDescription:
    """A pack without its models.

    Attributes:
        name: what the pack is called.
        version: of the pack.
        description: one line for a person.
        folder: where it lies.
        parameters: all its numbers.
        sources: what each of the parts is, keyed by its subfolder.
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
        numbers = self.parameters.model_dump()
        del numbers["segmentation"], numbers["generation"]["batch_size"]
        if self.parameters.generation.attribution == AttributionParameters():
            del numbers["generation"]["attribution"]  # banks that were filled before it could be chosen
        files = sorted((path, checksum) for path, checksum in self.files.items() if _part(path) != MASK_GENERATOR)
        content = json.dumps([PROTOTYPE_RECIPE, files, numbers], sort_keys=True)
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]

    @cached_property
    def encoders_fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs whose prototypes can stand in one bank have the same.

        They have the same backbone and image-text model, file by file, at the same sizes, and the same share of the
        noun in a key. What draws the images, and how its attention is read, may differ.
        """
        numbers = self.parameters
        others = {"generator", MASK_GENERATOR}
        files = sorted((path, checksum) for path, checksum in self.files.items() if _part(path) not in others)
        sizes = [numbers.backbone_size, numbers.image_text_size, numbers.prototypes.alpha]
        content = json.dumps(["encoders", PROTOTYPE_RECIPE, files, sizes])
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]

    @cached_property
    def masks_fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs that find the same masks in an image have the same; empty without masks."""
        files = sorted(entry for entry in self.files.items() if _part(entry[0]) == MASK_GENERATOR)
        return hashlib.sha256(json.dumps(files).encode("utf-8")).hexdigest()[:16] if files else ""

    @property
    def generator(self) -> str:
        """What its generator is called: the repository it came from, or else the pack's own name."""
        return self.sources["generator"].repository or self.name

    def fits(self, bank_pack: str) -> bool:
        """Return whether a bank can be filled and asked with this pack.

        Args:
            bank_pack: what the bank says it is for: the encoders', or, of one made before packs could be mixed, the
                fingerprint of its only pack.
        """
        return bank_pack in {self.encoders_fingerprint, self.fingerprint}


def _part(path: str) -> str:
    """Return the part of a pack that a file belongs to."""
    return path.partition("/")[0]


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
    try:
        found = (place / MANIFEST).stat()
    except OSError:  # which reading says in its own words
        return _read_description(place, recipe)
    return _remembered_description(place, recipe, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=8)
def _remembered_description(place: Path, recipe: str, _state: tuple[int, int, int]) -> PackDescription:
    """Read a description again only where its file has changed: a server needs it at every request."""
    return _read_description(place, recipe)


def _read_description(place: Path, recipe: str) -> PackDescription:
    path = place / MANIFEST
    read = PackFile.read(read_toml(path), where=str(path))
    remedy = {"remedy": f"run: freeda packs fetch {recipe}"} if recipe else {}
    return PackDescription(
        name=read.name,
        version=read.version,
        description=read.description,
        folder=place,
        parameters=read.parameters,
        sources=read.sources.by_part,
        files=read.files,
        nouns=None if read.nouns is None else frozenset(read.nouns),
        **remedy,
    )
