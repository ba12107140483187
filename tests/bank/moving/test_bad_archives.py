import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from freeda_svc import parquet_files
from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.bank.moving import ArchiveManifest, export_bank, import_bank, verify_archive
from freeda_svc.bank.moving.archive import describe_file, read_manifest, write_manifest
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype

OpenStore = Callable[..., PrototypeStore]
MakeSome = Callable[..., list[Prototype]]
Refused = Callable[..., str]
Refuse = Callable[[str], None]

FIRST, SECOND, THIRD = (f"prototypes-{number:05d}.parquet" for number in range(3))


@pytest.fixture
def archive(open_store: OpenStore, make_some: MakeSome, tmp_path: Path) -> Path:
    """Ten prototypes in parts of four."""
    export_bank(open_store(make_some(10)), tmp_path / "archive", parameters={"gamma": 0.45}, rows_a_part=4)
    return tmp_path / "archive"


@pytest.fixture
def refuse(archive: Path, open_store: OpenStore, refused: Refused) -> Callable[..., None]:
    """Shows that neither verification nor import takes the archive, and how much of it was imported before."""

    def refuse_(match: str, *, error: type[FreedaError] = InputError, imported: int = 0) -> None:
        refused(error, match, verify_archive, archive)
        store = open_store()
        refused(error, match, import_bank, archive, store)
        assert store.count() == imported

    return refuse_


def edit_manifest(archive: Path, change: Callable[[dict], object]) -> None:
    path = archive / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def forge(archive: Path, number: int, change: Callable[[pa.Table], pa.Table]) -> None:
    """Changes a part and makes the manifest fit: what a program that writes archives of its own could do."""
    manifest = read_manifest(archive)
    path = archive / manifest.parts[number].prototypes.file
    table = change(parquet.read_table(path))
    parquet.write_table(table, path)
    parts = list(manifest.parts)
    parts[number] = replace(parts[number], prototypes=describe_file(path, parts[number].prototypes.rows))
    write_manifest(archive, replace(manifest, parts=tuple(parts)))


def put(name: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[row] = value
        field = table.schema.field(name)
        return table.set_column(table.schema.get_field_index(name), field, pa.array(values, type=field.type))

    return change


def test_a_sound_archive_is_verified(archive: Path) -> None:
    manifest = verify_archive(archive)
    assert isinstance(manifest, ArchiveManifest)
    assert manifest.prototypes == 10


def test_there_is_no_such_folder(refused: Refused, open_store: OpenStore, tmp_path: Path) -> None:
    refused(NotFoundError, "there is no archive", verify_archive, tmp_path / "none")
    refused(NotFoundError, "there is no archive", import_bank, tmp_path / "none", open_store())


def test_other_folders_and_files_are_no_archives(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file.zip").write_bytes(b"PK")
    make_or_open_folder(tmp_path / "bank", "pack", 2, 2).close()
    refused(InputError, "has no manifest.json", verify_archive, tmp_path)
    refused(InputError, "is a file", verify_archive, tmp_path / "file.zip")
    refused(InputError, "is no archive", verify_archive, tmp_path / "bank")


def test_an_export_that_was_not_finished_is_no_archive_yet(
    refused: Refused, open_store: OpenStore, make_some: MakeSome, tmp_path: Path
) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_bank(open_store(make_some(3)), tmp_path, parameters={}, on_progress=stop)
    refused(InputError, "was not finished: run the same export again", verify_archive, tmp_path)


def test_a_missing_part_is_found_before_anything_is_written(archive: Path, refuse: Refuse) -> None:
    (archive / THIRD).unlink()
    refuse(f"lacks its file .*{THIRD}")


def test_a_part_that_was_cut_off_is_found_before_anything_is_written(archive: Path, refuse: Refuse) -> None:
    path = archive / THIRD
    path.write_bytes(path.read_bytes()[:-100])
    refuse("copy it again")


def test_nothing_of_a_damaged_part_is_written(archive: Path, refuse: Callable[..., None]) -> None:
    path = archive / SECOND
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refuse("sha256", imported=4)


def test_an_import_continues_when_a_damaged_part_was_replaced(
    archive: Path, open_store: OpenStore, refused: Refused
) -> None:
    store, path = open_store(), archive / SECOND
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + b"?")
    refused(InputError, "sha256", import_bank, archive, store)
    path.write_bytes(sound)
    assert import_bank(archive, store).added == 6
    assert store.count() == 10


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(prototypes=9),
        lambda manifest: manifest.update(pack="other"),
        lambda manifest: manifest["parameters"].update(gamma=0.5),
        lambda manifest: manifest["nouns"].update(dog=5),
        lambda manifest: manifest["parts"].pop(),
        lambda manifest: manifest["parts"][0]["prototypes"].update(sha256="0" * 64),
        lambda manifest: manifest.update(more=1),
        lambda manifest: manifest.pop("sha256"),
    ],
)
def test_an_edited_manifest_is_refused(archive: Path, refuse: Refuse, change: Callable[[dict], object]) -> None:
    edit_manifest(archive, change)
    refuse("was changed after it was written")


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_a_format_of_another_version_is_refused(archive: Path, refuse: Refuse, version: object) -> None:
    edit_manifest(archive, lambda manifest: manifest.update(format_version=version))
    refuse(f"format version {version!r}, but this freeda reads version 1")


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b'{"format_version": 1', b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(archive: Path, refuse: Refuse, text: bytes) -> None:
    (archive / "manifest.json").write_bytes(text)
    refuse("is broken .it is not")


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"prototypes": -1}, "prototypes: .* greater than or equal to 0"),
        ({"prototypes": "10"}, "prototypes: .*integer"),
        ({"prototypes": 11}, "do not add up"),
        ({"pack": ""}, "pack: "),
        ({"key_dimension": 0}, "key_dimension: "),
        ({"nouns": {"dog": -1}}, "nouns.dog: "),
        ({"parts": 3}, "parts: "),
    ],
)
def test_a_manifest_with_wrong_values_is_refused(
    archive: Path, refuse: Refuse, wrong: dict[str, object], match: str
) -> None:
    write_manifest(archive, replace(read_manifest(archive), **wrong))
    refuse(match)


def test_files_outside_the_archive_are_not_read(archive: Path, refuse: Refuse) -> None:
    manifest = read_manifest(archive)
    entry = replace(manifest.parts[0].prototypes, file=f"../elsewhere/{FIRST}")
    shutil.copytree(archive, archive.parent / "elsewhere")
    write_manifest(
        archive, replace(manifest, parts=(replace(manifest.parts[0], prototypes=entry), *manifest.parts[1:]))
    )
    refuse(f"part 0 is not in {FIRST}")


def test_parts_that_are_too_large_for_memory_are_refused(archive: Path, refuse: Refuse) -> None:
    manifest = read_manifest(archive)
    entry = replace(manifest.parts[2].prototypes, rows=10_001)
    parts = (*manifest.parts[:2], replace(manifest.parts[2], prototypes=entry))
    write_manifest(archive, replace(manifest, parts=parts, prototypes=10_009))
    refuse("more than 10,000 rows")


def test_counts_that_do_not_fit_the_parts_are_found_by_verification(archive: Path, refused: Refused) -> None:
    sound = read_manifest(archive)
    for wrong in ({"nouns": {"dog": 10}}, {"origins": {"generated": 10}}, {"outliers": 0}):
        write_manifest(archive, replace(sound, **wrong))
        refused(InputError, "other prototypes than its manifest counts", verify_archive, archive)


def test_a_bank_of_another_pack_does_not_take_it(archive: Path, open_store: OpenStore, refused: Refused) -> None:
    store = open_store(pack="another-pack")
    line = refused(InputError, "was made with pack pack-of-the-tests", import_bank, archive, store)
    assert "another-pack" in line
    assert store.count() == 0


def test_a_bank_of_other_dimensions_does_not_take_it(archive: Path, open_store: OpenStore, refused: Refused) -> None:
    refused(
        InputError,
        "keys of 5 and vectors of 7 values, not 5 and 8",
        import_bank,
        archive,
        open_store(dimensions=(5, 8)),
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put("id", 2, "5f2d6c1e-6f0b-4c53-9d2e-8f5c54f3b7a1"), "row 2: the id .* does not follow"),
        (put("seed", 2, 3), "row 2: the id .* does not follow"),
        (put("pack", 2, "other"), "row 2: the id .* does not follow"),
        (put("origin", 2, "dreamt"), "row 2: the origin 'dreamt'"),
        (put("contrast", 2, float("nan")), "row 2: one of mask_area, contrast, image_text_score is not finite"),
        (put("spans", 2, [[2, 999]]), "row 2: a span"),
        (put("spans", 2, [[5, 2]]), "row 2: a span"),
        (put("spans", 2, [[-1, 2]]), "row 2: a span"),
        (put("key", 2, [0.0] * 5), "its key is zero"),
        (put("key", 2, [1.0, 2.0, 3.0, 4.0, float("inf")]), "key has values that are not finite"),
        (put("prototype", 2, np.full(7, np.nan, np.float16)), "vector has values that are not finite"),
        (lambda table: table.drop_columns(["job"]), "has the columns"),
        (lambda table: table.append_column("more", table["job"]), "has the columns"),
        (lambda table: table.rename_columns([*table.column_names[:-1], "x"]), "has the columns"),
        (lambda table: table.slice(0, 3), "has 3 rows, expected 4"),
        (
            lambda table: table.set_column(
                3, pa.field("seed", pa.int32(), False), table["seed"].cast(pa.int32(), False)
            ),
            "column seed holds int32, expected int64",
        ),
        (
            lambda table: table.set_column(3, pa.field("seed", pa.int64(), True), pa.array([None] * 4, pa.int64())),
            "column seed holds int64 or null, expected int64",
        ),
        (
            lambda table: table.set_column(
                1,
                pa.field("key", pa.list_(pa.field("element", pa.float32(), False), 6), False),
                pa.array([[1.0] * 6] * 4, pa.list_(pa.field("element", pa.float32(), False), 6)),
            ),
            "column key holds .*6.*, expected .*5.*",
        ),
    ],
)
def test_rows_that_no_bank_held_are_refused_with_all_of_their_part(
    archive: Path, refuse: Callable[..., None], change: Callable[[pa.Table], pa.Table], match: str
) -> None:
    forge(archive, 1, change)
    refuse(match, imported=4)


def test_a_part_made_with_another_pack_is_refused(
    archive: Path, open_store: OpenStore, make_some: MakeSome, refuse: Callable[..., None]
) -> None:
    other = archive.parent / "other"
    export_bank(open_store(make_some(4, pack="other"), pack="other"), other, parameters={})
    forge(archive, 1, lambda _: parquet.read_table(other / FIRST))
    refuse("made with pack other", imported=4)


def test_a_part_that_is_no_parquet_file_is_refused(archive: Path, refuse: Callable[..., None]) -> None:
    forge(archive, 1, lambda table: table)
    manifest = read_manifest(archive)
    path = archive / SECOND
    path.write_bytes(path.read_bytes()[:-8] + b"nonsense")
    parts = list(manifest.parts)
    parts[1] = replace(parts[1], prototypes=describe_file(path, 4))
    write_manifest(archive, replace(manifest, parts=tuple(parts)))
    refuse("is not the Parquet file it should be", imported=4)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_any_file_is_noticed(archive: Path, refused: Refused, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(archive.iterdir())))
    sound = path.read_bytes()
    place = data.draw(st.integers(0, len(sound) - 1))
    flipped = bytes([sound[place] ^ data.draw(st.integers(1, 255))])
    damaged = data.draw(st.sampled_from([sound[:place], sound[:place] + flipped + sound[place + 1 :]]))
    # White space around JSON's values means nothing.
    if path.suffix == ".json" and damaged.decode("utf-8", "replace").split() == sound.decode().split():
        return
    path.write_bytes(damaged)
    try:
        refused(FreedaError, ".", verify_archive, archive)
    finally:
        path.write_bytes(sound)


def test_without_pyarrow_the_extra_is_named(
    archive: Path, open_store: OpenStore, refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    match = r"pip install 'freeda-svc\[parquet\]'"
    refused(UnavailableError, match, verify_archive, archive)
    refused(UnavailableError, match, import_bank, archive, open_store())
    refused(UnavailableError, match, export_bank, open_store(), tmp_path / "new", parameters={})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        (
            "prototype_tables.LONGEST_TEXT",
            20,
            "a value of [0-9]+ bytes in its column (id|caption), expected at most 20$",
        ),
        ("prototype_tables.MOST_SPANS", 1, "a prototype with 2 spans, expected at most 1$"),
        ("prototype_tables.ROWS_A_PART", 3, "has 4 rows, more than 3; split it$"),
        (
            "prototype_tables.MOST_SPANS_A_GROUP",
            1,
            "a row group has [0-9]+ values in its column 'spans', expected at most 2;",
        ),
        ("archive.LARGEST_MANIFEST", 100, "it takes more than 100 bytes"),
    ],
)
def test_what_would_take_too_much_memory_is_refused(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    monkeypatch.setattr(f"freeda_svc.bank.moving.{limit}", value)
    refuse(message)


def test_a_column_that_would_grow_too_much_is_refused(
    archive: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "EXPANDED_FREELY", 100)
    monkeypatch.setattr(parquet_files, "MOST_EXPANSION", 0)
    refuse("a row group of its column 'id' would grow from [0-9,]+ to [0-9,]+ bytes, more than 0 times")


def test_dimensions_that_no_encoder_has_are_refused(archive: Path, refuse: Refuse) -> None:
    write_manifest(archive, replace(read_manifest(archive), key_dimension=10_000))
    refuse("key_dimension: Input should be less than or equal to 8192")


@pytest.mark.parametrize("column", ["image", "mask", "attribution"])
@pytest.mark.parametrize("path", ["/etc/hostname", "../above.png", "a/../../b.png", "a\\b.png", "a\0b.png"])
def test_paths_out_of_the_folder_of_artifacts_are_refused(
    archive: Path, refuse: Refuse, column: str, path: str
) -> None:
    forge(archive, 0, put(column, 1, path))
    refuse(rf"row 1: its {column} '.*' is no path below the folder of artifacts; do not use this archive$")
