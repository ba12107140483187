"""Fetching a pack: its models' files from the model hub into one folder, which appears when it is whole."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from freeda_svc.errors import FreedaError, NotFoundError, UnavailableError, one_line
from freeda_svc.packs.description import PackDescription, read_pack_parameters
from freeda_svc.packs.hub import HubFile, download, find_file, find_revision, is_unchanged
from freeda_svc.packs.manifest import verify_part, write_pack_manifest
from freeda_svc.packs.recipes import MANIFEST, PackRecipe
from freeda_svc.parameters import Source
from freeda_svc.whole_files import ASIDE

_SPARE_BYTES = 64 << 20


def is_fetched(recipe: PackRecipe, folder: Path) -> bool:
    """Return whether a recipe's pack lies below ``folder``, whole, unchanged, and as the recipe has it now.

    All its files are read to compare their checksums.
    """
    try:
        description = read_pack_parameters(str(folder / recipe.name))
        for part in description.sources:
            verify_part(description, part)
    except FreedaError:
        return False
    return _agrees(recipe, description)


def fetch_pack(recipe: PackRecipe, folder: Path) -> Iterator[tuple[int, int]]:
    """Fetch a pack into ``folder / recipe.name``; where it lies already, nothing is done.

    Files are gathered in a hidden folder beside. It is given the pack's name when all are there and ``pack.toml`` is
    written, so a fetch that is cut off leaves nothing that looks like a pack, and the next one continues it. Files of
    a pack that is damaged or of an older recipe are kept where they are right, and those that another pack has already
    are linked, not fetched again: the packs of the paper share their generator.

    Yields:
        Bytes here and bytes in all, again and again.

    Raises:
        NotFoundError: a repository, revision or file is not on the hub.
        UnavailableError: the hub does not answer, or the disk is full or cannot be written.
    """
    if is_fetched(recipe, folder):
        return
    place, gathering = folder / recipe.name, folder / f".{recipe.name}.fetching"
    try:
        files = _find_files(recipe)
        folder.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.rmtree(gathering, ignore_errors=True)
            place.replace(gathering)
        _remove_others(gathering, {f"{part}/{file.path}" for part, listed in files.items() for file in listed})
        _link_known(files, gathering)
        yield from _gather(files, gathering)
        _write_manifest(recipe, files, gathering)
        for partial in gathering.rglob(ASIDE):
            partial.unlink()
        gathering.replace(place)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UnavailableError(f"the pack {recipe.name} cannot be written below {folder}: {reason}") from error


def _find_files(recipe: PackRecipe) -> dict[str, list[HubFile]]:
    """Ask the hub about every file before one is brought, so that a mistake in a recipe shows at once."""
    found: dict[str, list[HubFile]] = {}
    for part, source in recipe.sources.items():
        try:
            revision = find_revision(source.repository, source.revision)
        except NotFoundError as error:
            at = f" at {source.revision}" if source.revision else ""
            raise NotFoundError(f"pack {recipe.name}: the hub has no repository {source.repository}{at}") from error
        found[part] = []
        for path in source.files:
            try:
                found[part].append(find_file(source.repository, revision, path))
            except NotFoundError as error:
                raise NotFoundError(f"pack {recipe.name}: {source.repository} has no file {path}") from error
    return found


def _link_known(files: dict[str, list[HubFile]], gathering: Path) -> None:
    """Give a folder the large files that packs beside it have; they are known by their sha256."""
    known: dict[str, Path] = {}
    for manifest in gathering.parent.glob(f"[!.]*/{MANIFEST}"):
        try:
            beside = read_pack_parameters(str(manifest.parent))
        except FreedaError:
            continue
        known |= {checksum: beside.folder / path for path, checksum in beside.files.items()}
    for part, listed in files.items():
        for file in listed:
            target, other = gathering / part / file.path, known.get(file.checksum)
            if other is not None and not target.exists() and is_unchanged(file, other):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(other, target)
                except OSError:  # not every file system has links
                    shutil.copyfile(other, target)


def _gather(files: dict[str, list[HubFile]], gathering: Path) -> Iterator[tuple[int, int]]:
    total = sum(file.size for listed in files.values() for file in listed)
    done = 0
    missing: list[tuple[HubFile, Path]] = []
    for part, listed in files.items():
        for file in listed:
            target = gathering / part / file.path
            if is_unchanged(file, target):
                done += file.size
                yield done, total
            else:
                missing.append((file, target))
    gathering.mkdir(parents=True, exist_ok=True)
    partial = sum(path.stat().st_size for path in gathering.rglob(ASIDE))
    needed, free = total - done - partial + _SPARE_BYTES, shutil.disk_usage(gathering).free
    if needed > free:
        raise UnavailableError(
            f"{gathering.parent} has {free >> 20} MB left, and {needed >> 20} MB are needed: "
            "make room or set FREEDA_PACKS"
        )
    for file, target in missing:
        target.unlink(missing_ok=True)
        for here in download(file, target):
            yield done + here, total
        done += file.size
    yield done, total


def _write_manifest(recipe: PackRecipe, files: dict[str, list[HubFile]], gathering: Path) -> None:
    sources = {
        part: Source(
            description=source.description,
            licence=source.licence,
            origin=f"model hub, {source.repository} at {files[part][0].revision}",
            repository=source.repository,
            revision=files[part][0].revision,
            activation=source.activation,
            commercial_use=source.commercial_use,
        )
        for part, source in recipe.sources.items()
    }
    write_pack_manifest(
        gathering,
        name=recipe.name,
        version=recipe.version,
        description=recipe.description,
        parameters=recipe.parameters,
        sources=sources,
    )


def _agrees(recipe: PackRecipe, description: PackDescription) -> bool:
    """Return whether a fetched pack is what the recipe would make; a branch may have moved on since."""
    wanted = {f"{part}/{path}" for part, source in recipe.sources.items() for path in source.files}
    return (
        (description.name, description.version, description.parameters)
        == (recipe.name, recipe.version, recipe.parameters)
        and set(description.files) == wanted
        and description.sources.keys() == recipe.sources.keys()
        and all(
            (source.repository, source.activation) == (had.repository, had.activation)
            and (not _is_commit(source.revision) or source.revision == had.revision)
            for source, had in ((recipe.sources[part], description.sources[part]) for part in recipe.sources)
        )
    )


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")  # noqa: PLR2004  (of git)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove what a cut-off fetch of another recipe or an older pack left, but not what can be continued."""
    for path in sorted(folder.rglob("*"), reverse=True):
        relative = path.relative_to(folder).as_posix()
        if path.is_dir():
            if not os.listdir(path):  # noqa: PTH208  (only whether there is anything)
                path.rmdir()
        elif relative not in wanted and not path.match(ASIDE):
            path.unlink()
