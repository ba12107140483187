"""Writing ``pack.toml`` and checking a pack's files against it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from freeda_svc.errors import InputError
from freeda_svc.packs.description import PackDescription
from freeda_svc.packs.recipes import MANIFEST
from freeda_svc.parameters import MASK_GENERATOR, PARTS, PackParameters, Source
from freeda_svc.whole_files import write_whole

LARGEST_CHECKED_BYTES = 4 << 20
"""Larger files are looked at without being read: safetensors by their head, which says how long they must be."""


def write_pack_manifest(
    folder: Path,
    *,
    name: str,
    version: str,
    description: str,
    parameters: PackParameters,
    sources: Mapping[str, Source],
    nouns: Sequence[str] = (),
) -> None:
    """Write ``pack.toml`` into a folder that holds a pack's models, replacing an older one.

    Args:
        folder: has the subfolders ``generator``, ``backbone`` and ``image_text``, perhaps ``mask_generator``.
        name: what the pack is called.
        version: of the pack.
        description: one line for a person.
        parameters: all its numbers.
        sources: what each of the parts is, keyed by its subfolder.
        nouns: the nouns its models were trained on; none when they know the open world.

    Raises:
        InputError: a part has no files, or ``sources`` does not describe exactly the parts of a pack.
    """
    if set(sources) - {MASK_GENERATOR} != set(PARTS):
        raise InputError(f"a pack's sources describe {', '.join(PARTS)}, not {', '.join(sorted(sources)) or 'nothing'}")
    files: dict[str, str] = {}
    parts = [part for part in (*PARTS, MASK_GENERATOR) if part in sources]
    for part in parts:
        found = {path: file_checksum(folder / path) for path in _files_of(folder, part)}
        if not found:
            raise InputError(f"{folder / part} has no files; a pack needs the parts {', '.join(parts)}")
        files |= found
    content = {
        "name": name,
        "version": version,
        "description": description,
        **({"nouns": list(nouns)} if nouns else {}),
        "parameters": parameters.model_dump(),
        "sources": {part: _stated(sources[part]) for part in parts},
        "files": files,
    }
    text = "\n".join(_lines(content, ())).lstrip() + "\n"
    write_whole(folder / MANIFEST, text.encode("utf-8"))


def verify_part(description: PackDescription, part: str) -> None:
    """Check that a part has exactly the files its pack lists, unchanged.

    Raises:
        InputError: a file is missing, changed or not listed; the message names the pack and the file.
    """
    hint = description.remedy
    listed = {path: checksum for path, checksum in description.files.items() if path.startswith(f"{part}/")}
    present = set(_files_of(description.folder, part))
    for path, checksum in listed.items():
        if path not in present:
            raise InputError(f"pack {description.name}: the file {path} is missing; {hint}")
        if file_checksum(description.folder / path) != checksum:
            raise InputError(f"pack {description.name}: the file {path} has another sha256 than listed; {hint}")
    for path in sorted(present - listed.keys()):
        raise InputError(f"pack {description.name}: the file {path} is not listed in {MANIFEST}; remove it")


def check_files(description: PackDescription, part: str = "") -> None:
    """Check that a pack's files are there and whole, without reading the large ones.

    Args:
        description: the pack.
        part: one of its models; all when empty.

    Raises:
        InputError: a file is missing, cannot be read or is cut off; the message names the pack and the file.
    """
    for name in description.files:
        if name.startswith(f"{part}/" if part else ""):
            fault = _fault(description.folder / name, description.files[name])
            if fault:
                raise InputError(f"pack {description.name}: {name} {fault}; {description.remedy}")


def _fault(path: Path, checksum: str) -> str:
    """What is wrong with a file; empty when nothing is."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415  (what only describes a pack does without it)

    if not path.is_file():
        return "is missing"
    try:
        if path.stat().st_size <= LARGEST_CHECKED_BYTES:
            return "" if file_checksum(path) == checksum else "is not as listed"
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy"):
                pass
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except SafetensorError as error:
        return f"is cut off or broken ({error})"
    return ""


def file_checksum(path: Path) -> str:
    """Return a file's sha256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_of(folder: Path, part: str) -> Iterator[str]:
    """Yield the paths below ``folder`` of a part's files in order; hidden files are ignored."""
    for path in sorted((folder / part).rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(name.startswith(".") for name in relative.parts):
            yield relative.as_posix()


def _stated(source: Source) -> dict[str, str]:
    """Return the fields of a source; optional ones that are empty are left out."""
    return {key: value for key, value in source.model_dump().items() if value}


def _lines(table: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a TOML table: its plain values, then its tables."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if plain and keys:
        yield f"\n[{'.'.join(keys)}]"
    for key, value in plain.items():
        written = key if key.isidentifier() and key.isascii() else json.dumps(key)
        yield f"{written} = {json.dumps(value)}"  # JSON's texts and numbers are valid TOML
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(value, (*keys, key))
