from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from freeda_svc.bank import PrototypeStore
from freeda_svc.bank.moving import Start, export_bank, import_bank, verify_archive
from freeda_svc.bank.moving.archive import describe_file, read_manifest, write_manifest
from freeda_svc.bank.moving.artifact_tables import artifact_schema
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.prototypes.record import Prototype

OpenStore = Callable[..., PrototypeStore]
MakeSome = Callable[..., list[Prototype]]
GiveArtifacts = Callable[[Path, Sequence[Prototype]], None]
Refused = Callable[..., str]


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def archive(open_store: OpenStore, make_some: MakeSome, give_artifacts: GiveArtifacts, tmp_path: Path) -> Path:
    """Ten prototypes in parts of four, with their thumbnails from ``mine``."""
    held = make_some(10)
    give_artifacts(tmp_path / "mine", held)
    export_bank(open_store(held), tmp_path / "archive", parameters={}, rows_a_part=4, artifacts=tmp_path / "mine")
    return tmp_path / "archive"


def forge_artifacts(archive: Path, content: bytes | pa.Table, rows: int) -> None:
    """Puts another file in the place of the artifacts of the second part and makes the manifest fit."""
    manifest = read_manifest(archive)
    path = archive / "artifacts-00001.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        parquet.write_table(content, path)
    parts = list(manifest.parts)
    parts[1] = replace(parts[1], artifacts=describe_file(path, rows))
    write_manifest(archive, replace(manifest, parts=tuple(parts)))


def test_thumbnails_move_with_their_prototypes(archive: Path, open_store: OpenStore, tmp_path: Path) -> None:
    verify_archive(archive)
    report = import_bank(archive, open_store(), artifacts=tmp_path / "theirs")
    assert files_of(tmp_path / "theirs") == files_of(tmp_path / "mine")
    assert (report.artifacts_written, report.artifacts_kept) == (len(files_of(tmp_path / "mine")), 0)


def test_a_thumbnail_that_prototypes_share_is_in_a_part_once(archive: Path) -> None:
    paths = parquet.read_table(archive / "artifacts-00000.parquet")["path"].to_pylist()
    # Of four prototypes: two images that two share, four masks, two attributions.
    assert len(paths) == len(set(paths)) == 8


def test_importing_again_writes_no_thumbnail_again(archive: Path, open_store: OpenStore, tmp_path: Path) -> None:
    store, root = open_store(), tmp_path / "theirs"
    import_bank(archive, store, artifacts=root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    report = import_bank(archive, store, artifacts=root)
    assert (report.artifacts_written, report.artifacts_kept) == (0, 0)
    assert report.artifacts_present >= len(files_of(root))  # parts mention the picture that they share each
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_other_files_in_the_place_of_thumbnails_stay(archive: Path, open_store: OpenStore, tmp_path: Path) -> None:
    mask = tmp_path / "theirs" / "thumbnails" / "3.mask.png"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"drawn by hand")
    report = import_bank(archive, open_store(), artifacts=tmp_path / "theirs")
    assert report.artifacts_kept == 1
    assert report.artifacts_written == len(files_of(tmp_path / "mine")) - 1
    assert mask.read_bytes() == b"drawn by hand"


def test_thumbnails_can_be_left_out(archive: Path, open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> None:
    store = open_store()
    report = import_bank(archive, store)
    assert (report.added, report.artifacts_written) == (10, 0)
    assert store.scan().__next__()[0].image
    export_bank(open_store(make_some(3)), tmp_path / "plain", parameters={})
    assert import_bank(tmp_path / "plain", open_store(), artifacts=tmp_path / "theirs").artifacts_written == 0
    assert not (tmp_path / "theirs").exists()


def test_thumbnails_that_are_gone_are_counted(
    open_store: OpenStore, make_some: MakeSome, give_artifacts: GiveArtifacts, tmp_path: Path
) -> None:
    held, root = make_some(10), tmp_path / "mine"
    give_artifacts(root, held)
    for lost in ("0.png", "7.mask.png"):
        (root / "thumbnails" / lost).unlink()
    report = export_bank(open_store(held), tmp_path / "archive", parameters={}, rows_a_part=4, artifacts=root)
    assert report.missing_artifacts == 2
    import_bank(tmp_path / "archive", open_store(), artifacts=tmp_path / "theirs")
    assert files_of(tmp_path / "theirs") == files_of(root)


def test_an_interrupted_export_with_thumbnails_continues(
    open_store: OpenStore, make_some: MakeSome, give_artifacts: GiveArtifacts, tmp_path: Path
) -> None:
    held, root, folder = make_some(10), tmp_path / "mine", tmp_path / "archive"
    give_artifacts(root, held)
    (root / "thumbnails" / "0.png").unlink()
    store = open_store(held)

    def stop(done: int, _total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_bank(store, folder, parameters={}, rows_a_part=4, artifacts=root, on_progress=stop)
    first = folder / "artifacts-00000.parquet"
    before = first.stat().st_mtime_ns
    report = export_bank(store, folder, parameters={}, rows_a_part=4, artifacts=root)
    assert (report.start, report.missing_artifacts) == (Start.CONTINUED, 1)
    assert first.stat().st_mtime_ns == before
    import_bank(folder, open_store(), artifacts=tmp_path / "theirs")
    assert files_of(tmp_path / "theirs") == files_of(root)


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "thumbnails/../../secret.png", "link/secret.png"])
def test_nothing_outside_the_artifacts_is_exported(
    open_store: OpenStore, make_some: MakeSome, refused: Refused, tmp_path: Path, path: str
) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link").symlink_to(tmp_path)
    store = open_store([replace(prototype, image=path) for prototype in make_some(1)])
    folder = tmp_path / "archive"
    refused(InputError, "not below the folder", export_bank, store, folder, parameters={}, artifacts=tmp_path / "mine")
    assert not (folder / "manifest.json").exists()
    assert export_bank(store, tmp_path / "plain", parameters={}).manifest.prototypes == 1


@pytest.mark.parametrize("path", ["../evil.png", "/tmp/freeda-evil.png", "a\\..\\..\\evil.png", "link/evil.png"])
def test_an_archive_writes_nothing_outside_the_artifacts(
    open_store: OpenStore, make_some: MakeSome, refused: Refused, tmp_path: Path, path: str
) -> None:
    # Exported without thumbnails, so that the paths get this far.
    folder, root = tmp_path / "archive", tmp_path / "theirs"
    (tmp_path / "outside").mkdir()
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    held = [replace(prototype, mask=path) for prototype in make_some(2)]
    export_bank(open_store(held), folder, parameters={}, rows_a_part=1)
    manifest = read_manifest(folder)
    parquet.write_table(pa.table([[path], [b"evil"]], schema=artifact_schema()), folder / "artifacts-00001.parquet")
    entry = describe_file(folder / "artifacts-00001.parquet", 1)
    write_manifest(folder, replace(manifest, parts=(manifest.parts[0], replace(manifest.parts[1], artifacts=entry))))
    store = open_store()
    depends_on_the_folder = path.startswith("link")
    refused(InputError, "(not|no path) below the folder", import_bank, folder, store, artifacts=root)
    assert store.count() == depends_on_the_folder
    assert not list(tmp_path.rglob("*evil*"))
    if not depends_on_the_folder:
        refused(InputError, "no path below the folder", verify_archive, folder)


def test_artifacts_that_no_prototype_mentions_are_refused(
    archive: Path, open_store: OpenStore, refused: Refused, tmp_path: Path
) -> None:
    rows = {"thumbnails/4.mask.png": b"mask", "results/page.html": b"<script>"}
    forge_artifacts(archive, pa.table([list(rows), list(rows.values())], schema=artifact_schema()), 2)
    store, root = open_store(), tmp_path / "theirs"
    refused(InputError, "no prototype of the part mentions", verify_archive, archive)
    refused(InputError, "no prototype of the part mentions", import_bank, archive, store, artifacts=root)
    assert store.count() == 4
    assert not (root / "thumbnails" / "4.mask.png").exists()


def test_damaged_thumbnails_are_refused_with_their_part(
    archive: Path, open_store: OpenStore, refused: Refused, tmp_path: Path
) -> None:
    path = archive / "artifacts-00001.parquet"
    path.write_bytes(path.read_bytes().replace(b"PNG of", b"PNG 0f"))
    store = open_store()
    refused(InputError, "sha256", verify_archive, archive)
    refused(InputError, "sha256", import_bank, archive, store, artifacts=tmp_path / "theirs")
    assert store.count() == 4
    assert import_bank(archive, store).added == 6


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda _: pa.table({"path": ["thumbnails/4.mask.png"]}), "has the columns"),
        (lambda table: table.slice(1), "has 7 rows, expected 8"),
        (lambda _: b"not Parquet", "is not the Parquet file"),
    ],
)
def test_files_of_artifacts_that_are_something_else_are_refused(
    archive: Path, refused: Refused, change: Callable[[pa.Table], bytes | pa.Table], match: str
) -> None:
    forge_artifacts(archive, change(parquet.read_table(archive / "artifacts-00001.parquet")), 8)
    refused(InputError, match, verify_archive, archive)


def test_a_place_for_thumbnails_that_cannot_be_written_is_one_line(
    archive: Path, open_store: OpenStore, refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("a file")
    store = open_store()
    refused(UnavailableError, "cannot be written", import_bank, archive, store, artifacts=tmp_path / "theirs")
    # Prototypes come after their thumbnails.
    assert store.count() == 0


def test_thumbnails_that_would_take_too_much_memory_are_refused(
    open_store: OpenStore, make_some: MakeSome, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = make_some(1)
    root, archive, store = tmp_path / "mine", tmp_path / "archive", open_store()
    (root / held[0].image).parent.mkdir(parents=True)
    (root / held[0].image).write_bytes(b"four")
    export_bank(open_store(held), archive, parameters={}, artifacts=root)
    for limit, value, message in (
        ("LARGEST_ARTIFACT", 3, "of 4 bytes in its column content, expected at most 3$"),
        ("LONGEST_PATH", 5, "5$"),
    ):
        monkeypatch.setattr(f"freeda_svc.bank.moving.artifact_tables.{limit}", value)
        refused(InputError, message, import_bank, archive, store, artifacts=tmp_path / "theirs")
    assert store.count() == 0
