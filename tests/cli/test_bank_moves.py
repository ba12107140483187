"""Banks into archives and out of them from the command line, without a worker."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeda_svc.bank import BankName, EmbeddedBanks
from freeda_svc.bank.moving import importing, read_archive_manifest
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.cli.bank import moving
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.prototypes import Prototype
from freeda_svc.workers import resources
from tests.made_prototypes import make_prototype

Freeda = Callable[..., Any]
PACK = read_pack_parameters("miniature").fingerprint  # as banks have that were made before packs could be mixed
ENCODERS = read_pack_parameters("miniature").encoders_fingerprint
COUNT = 10


def make_prototypes(number: int) -> list[Prototype]:
    generator = np.random.default_rng(5)
    keys = generator.normal(size=(number, 64)).astype(np.float32)
    vectors = generator.normal(size=(number, 96)).astype(np.float32)
    return [
        make_prototype(
            "boat",
            caption_id=f"{i:016x}",
            key=keys[i],
            vector=vectors[i],
            pack=PACK,
            image="thumbnails/a.png",
            mask="thumbnails/a.mask.png",
        )
        for i in range(number)
    ]


@pytest.fixture
def banks(home: Path) -> EmbeddedBanks:
    """A home whose default bank has boats with one picture; the mask that they mention is gone."""
    made = EmbeddedBanks(home / "banks")
    made.create(BankName("default", 1), PACK, 64, 96)
    with made.open(BankName("default", 1)) as store:
        store.add(make_prototypes(COUNT))
    (home / "artifacts" / "thumbnails").mkdir(parents=True)
    (home / "artifacts" / "thumbnails" / "a.png").write_bytes(b"a picture")
    return made


@pytest.fixture
def archive(freeda: Freeda, banks: EmbeddedBanks, tmp_path: Path) -> Path:
    assert freeda("bank", "export", tmp_path / "archive").code == 0
    return tmp_path / "archive"


@pytest.fixture
def interrupted(freeda: Freeda, monkeypatch: pytest.MonkeyPatch) -> Freeda:
    """Runs a command at which Ctrl-C is pressed as soon as it tells how far it is."""

    @contextmanager
    def impatient(_label: str, *, unit: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
        def tell(_done: int, _total: int) -> None:
            raise KeyboardInterrupt

        yield tell

    def run(*arguments: object) -> Any:  # noqa: ANN401 - what freeda gives
        with monkeypatch.context() as patched:
            patched.setattr(moving, "shown_progress", impatient)
            return freeda(*arguments)

    return run


def assert_refused(ran: Any, message: str, code: int = 1) -> None:  # noqa: ANN401 - what freeda gives
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("Error: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_an_export_says_what_it_wrote(freeda: Freeda, banks: EmbeddedBanks, tmp_path: Path) -> None:
    ran = freeda("bank", "export", tmp_path / "a")
    assert (ran.code, ran.out) == (0, f"{COUNT} prototypes of default@1 in {tmp_path / 'a'} (new)\n")
    assert "missing files: 1 picture, mentioned but not there any more" in ran.err
    plain = freeda("bank", "export", tmp_path / "b", "--bank", "default@1", "--without-pictures", "--json")
    assert plain.json == {
        "bank": "default@1",
        "prototypes": COUNT,
        "start": "new",
        "bank_changed": False,
        "missing_pictures": 0,
    }
    assert (tmp_path / "a" / "artifacts-00000.parquet").exists()
    assert not (tmp_path / "b" / "artifacts-00000.parquet").exists()


def test_an_archive_says_which_numbers_its_pack_has(archive: Path, freeda: Freeda, banks: EmbeddedBanks) -> None:
    parameters = read_pack_parameters("miniature").parameters
    manifest = read_archive_manifest(archive)
    assert manifest.parameters["pack"] == "miniature"
    assert manifest.parameters["prototypes"] == {
        "gamma": parameters.prototypes.gamma,
        "alpha": parameters.prototypes.alpha,
    }
    banks.create(BankName("foreign", 1), "0123456789abcdef", 3, 4)
    assert freeda("bank", "export", archive.parent / "foreign", "--bank", "foreign").code == 0
    assert read_archive_manifest(archive.parent / "foreign").parameters == {}


def test_a_bank_can_be_exported_where_its_pack_is_not(
    freeda: Freeda, banks: EmbeddedBanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_PACK", "not-fetched")
    assert freeda("bank", "export", tmp_path / "a").code == 0
    assert read_archive_manifest(tmp_path / "a").parameters == {}


@pytest.mark.parametrize(("named", "made"), [("animals", "animals@1"), ("animals@2", "animals@2")])
def test_an_import_makes_the_bank_that_is_not_there(
    freeda: Freeda, archive: Path, home: Path, named: str, made: str
) -> None:
    shutil.rmtree(home)
    ran = freeda("bank", "import", archive, "--bank", named, "--json")
    counts = {"prototypes": COUNT, "added": COUNT, "pictures_written": 1, "pictures_present": 0, "pictures_kept": 0}
    assert ran.json == {"bank": made, **counts}
    [bank] = freeda("bank", "list", "--json").json
    assert (bank["bank"], bank["current"], bank["prototypes"], bank["pack"]) == (made, True, COUNT, PACK)
    assert (home / "artifacts" / "thumbnails" / "a.png").read_bytes() == b"a picture"


def test_a_version_is_imported_beside_the_current_one(freeda: Freeda, archive: Path) -> None:
    assert freeda("bank", "import", archive, "--bank", "default@2").code == 0
    listed = freeda("bank", "list", "--json").json
    assert [(bank["bank"], bank["current"]) for bank in listed] == [("default@1", True), ("default@2", False)]


def test_what_comes_out_is_what_went_in(freeda: Freeda, archive: Path) -> None:
    freeda("bank", "import", archive, "--bank", "other")
    assert freeda("bank", "export", archive.parent / "again", "--bank", "other").code == 0
    for name in ("prototypes-00000.parquet", "artifacts-00000.parquet"):
        assert (archive / name).read_bytes() == (archive.parent / "again" / name).read_bytes()


def test_an_import_into_a_bank_that_has_all_of_it_adds_nothing(freeda: Freeda, archive: Path) -> None:
    ran = freeda("bank", "import", archive)
    assert ran.out == (f"default@1: {COUNT} prototypes, 0 added, 0 pictures written, 1 picture already there\n")


def test_an_import_says_that_other_pictures_were_kept(freeda: Freeda, archive: Path, home: Path) -> None:
    (home / "artifacts" / "thumbnails" / "a.png").write_bytes(b"another picture")
    ran = freeda("bank", "import", archive, "--bank", "other")
    assert ran.out == (
        f"other@1: {COUNT} prototypes, {COUNT} added, 0 pictures written, 1 picture with other content kept\n"
    )
    assert (home / "artifacts" / "thumbnails" / "a.png").read_bytes() == b"another picture"


def test_an_interrupted_export_is_continued_by_the_same_command(
    freeda: Freeda, interrupted: Freeda, banks: EmbeddedBanks, tmp_path: Path
) -> None:
    command = ("bank", "export", tmp_path / "a")
    stopped = interrupted(*command)
    assert (stopped.code, stopped.err) == (130, "Interrupted; the same command continues the export.\n")
    assert_refused(freeda("bank", "import", tmp_path / "a"), "was not finished: run the same export again")
    assert freeda(*command, "--json").json["start"] == "continued"


def test_an_interrupted_import_is_continued_by_the_same_command(
    freeda: Freeda, interrupted: Freeda, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_ROWS_AN_ADDITION", 4)
    command = ("bank", "import", archive, "--bank", "other")
    stopped = interrupted(*command)
    assert (stopped.code, stopped.err) == (130, "Interrupted; the same command continues the import.\n")
    assert freeda("bank", "stats", "--bank", "other", "--json").json["prototypes"] == 4
    assert freeda(*command, "--json").json["added"] == 6


def test_a_bank_that_another_process_holds_is_reported_in_one_line(
    freeda: Freeda, archive: Path, banks: EmbeddedBanks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "BANK_PATIENCE_SECONDS", 0.2)
    with ExitStack() as another_process:
        another_process.callback(FolderLock(banks.place(BankName("default", 1))).release)
        for command in (("export", archive.parent / "b"), ("import", archive)):
            assert_refused(freeda("bank", *command), "default/1 is in use by process")
        # Another version beside it is free.
        assert freeda("bank", "import", archive, "--bank", "default@2").code == 0
    assert not (archive.parent / "b").exists()


def test_mistakes_of_an_export_are_reported_in_one_line(freeda: Freeda, archive: Path, tmp_path: Path) -> None:
    assert_refused(freeda("bank", "export", archive), "finished archive")
    assert_refused(freeda("bank", "export", tmp_path / "b", "--bank", "none"), "there is no bank none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    assert_refused(freeda("bank", "export", tmp_path / "full"), "not empty")
    assert freeda("bank", "export").code == 2
    assert not (tmp_path / "b").exists()


def test_without_pyarrow_the_extra_is_named(
    freeda: Freeda, archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for command in (("export", tmp_path / "b"), ("import", archive, "--bank", "other")):
        assert_refused(freeda("bank", *command), "pip install 'freeda-svc[parquet]'")
    assert [bank["bank"] for bank in freeda("bank", "list", "--json").json] == ["default@1"]


def test_an_archive_is_checked_without_being_imported(freeda: Freeda, archive: Path, tmp_path: Path) -> None:
    ran = freeda("bank", "import", archive, "--bank", "other", "--dry-run")
    assert (ran.code, ran.out) == (0, f"{archive} is whole: {COUNT} prototypes of 1 noun\n")
    told = freeda("bank", "import", archive, "--dry-run", "--json").json
    assert told == {"prototypes": COUNT, "nouns": 1, "pack": PACK}
    path = archive / "artifacts-00000.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert_refused(freeda("bank", "import", archive, "--dry-run", "--quiet"), "sha256")
    assert_refused(
        freeda("bank", "import", "--from-faiss", "i", "--prototypes", "p", "--dry-run"), "checks an archive", 2
    )
    assert [bank["bank"] for bank in freeda("bank", "list", "--json").json] == ["default@1"]


def test_a_damaged_archive_leaves_no_new_bank_behind(freeda: Freeda, archive: Path, banks: EmbeddedBanks) -> None:
    banks.create(BankName("empty", 1), PACK, 64, 96)
    path = archive / "prototypes-00000.parquet"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    for named in ("other", "default@2"):
        assert_refused(freeda("bank", "import", archive, "--bank", named), "sha256")
    for named in ("default", "empty"):
        assert_refused(freeda("bank", "import", archive, "--bank", named), "sha256")
    assert [bank["bank"] for bank in freeda("bank", "list", "--json").json] == ["default@1", "empty@1"]


def test_mistakes_of_an_import_are_reported_in_one_line(
    freeda: Freeda, archive: Path, banks: EmbeddedBanks, tmp_path: Path
) -> None:
    assert_refused(freeda("bank", "import", tmp_path / "none", "--bank", "x"), "there is no archive")
    assert_refused(freeda("bank", "import", tmp_path, "--bank", "x"), "is no archive")
    assert_refused(freeda("bank", "import", archive, "--bank", "A b"), "is no name of a bank", 2)
    banks.create(BankName("foreign", 1), "0123456789abcdef", 64, 96)
    assert_refused(
        freeda("bank", "import", archive, "--bank", "foreign"),
        "not with 0123456789abcdef: import it into a bank of its own pack",
    )
    assert {bank["bank"] for bank in freeda("bank", "list", "--json").json} == {"default@1", "foreign@1"}


@pytest.mark.parametrize(
    "options",
    [(), ("a", "--from-faiss", "i", "--prototypes", "p"), ("--from-faiss", "i"), ("--prototypes", "p")],
)
def test_an_import_has_one_source(freeda: Freeda, home: Path, options: tuple[str, ...]) -> None:
    assert_refused(freeda("bank", "import", *options), "Give an archive, or --from-faiss with --prototypes.", 2)


@pytest.fixture
def published(tmp_path: Path) -> Callable[[int, int], tuple[str, Path, str, Path]]:
    """Makes an index with six keys and their prototypes, one of them not finite; gives the options to import them."""
    faiss = pytest.importorskip("faiss")

    def make(key_dimension: int, vector_dimension: int) -> tuple[str, Path, str, Path]:
        generator = np.random.default_rng(3)
        index = faiss.IndexFlatIP(key_dimension)
        index.add(generator.normal(size=(6, key_dimension)).astype(np.float32))
        faiss.write_index(index, str(tmp_path / "i"))
        (tmp_path / "npy").mkdir()
        vectors = generator.normal(size=(6, vector_dimension)).astype(np.float32)
        vectors[3, 0] = np.nan
        for number, vector in enumerate(vectors):
            np.save(tmp_path / "npy" / f"{number}.npy", vector)
        return "--from-faiss", tmp_path / "i", "--prototypes", tmp_path / "npy"

    return make


def test_a_published_bank_is_imported_into_a_new_bank_of_the_pack(
    freeda: Freeda, home: Path, published: Callable[[int, int], tuple[object, ...]]
) -> None:
    options = published(64, 96)
    ran = freeda("bank", "import", *options, "--bank", "published", "--json")
    assert ran.json == {"bank": "published@1", "rows": 6, "added": 5, "left_out": 1}
    assert freeda("bank", "import", *options, "--bank", "published").out == "published@1: 6 rows, 0 added, 1 left out\n"
    stats = freeda("bank", "stats", "--bank", "published", "--json").json
    assert (stats["pack"], stats["origins"]) == (ENCODERS, {"imported": 5})


def test_a_published_bank_of_another_pack_is_refused(
    freeda: Freeda, home: Path, published: Callable[[int, int], tuple[object, ...]]
) -> None:
    ran = freeda("bank", "import", *published(64, 95), "--bank", "published")
    assert_refused(ran, "of 64 and 95 values, but those of the pack miniature have 64 and 96")
    assert freeda("bank", "list", "--json").json == []


def test_a_published_bank_that_is_not_whole_leaves_no_bank_behind(
    freeda: Freeda, home: Path, published: Callable[[int, int], tuple[object, ...]], tmp_path: Path
) -> None:
    options = published(64, 96)
    (tmp_path / "npy" / "4.npy").unlink()
    assert_refused(freeda("bank", "import", *options, "--bank", "published"), "has 6 keys, but ")
    assert freeda("bank", "list", "--json").json == []
