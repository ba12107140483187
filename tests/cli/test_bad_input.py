"""What is wrong is told in one line, with a code that is not zero, and nothing is accepted."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.cli.main import freeda as freeda_group
from freeda_svc.errors import BusyError
from freeda_svc.jobs import list_jobs
from freeda_svc.settings import load_settings, prepare_home
from freeda_svc.workers.locks import worker_lock

Freeda = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]
SEE_EXEMPLARS = "See `freeda bank add-exemplars --help`."
SEE_SEGMENT = "See `freeda segment --help`."
NO_BROKER = "redis://127.0.0.1:1/0"
CAPTION_ENDINGS = "one of .json, .jsonl, .ndjson, .csv, .tsv, .parquet, .txt (also with .gz)"
HOW_TO_NAME_A_FORMAT = f"give {CAPTION_ENDINGS}, or name its format with --format"


def _accepted(home: Path) -> list[Any]:
    return list_jobs(load_settings(home=home)) if home.exists() else []


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("ingest {in}/none.txt", 1, "no such caption file: {in}/none.txt"),
        (
            "ingest https://example.org/a.txt",
            1,
            (
                "https://example.org/a.txt is an address, and only files of this machine are read; "
                "download it and name the caption file"
            ),
        ),
        ("ingest {in}", 1, f"{{in}} is a directory; give a caption file, {CAPTION_ENDINGS}"),
        ("ingest {in}/blank.txt", 1, "{in}/blank.txt has no captions that can be used (2 empty)"),
        (
            "ingest {in}/empty.json",
            1,
            "{in}/empty.json has no captions; expected COCO captions, an object with a list 'annotations'",
        ),
        (
            "ingest {in}/captions.xml",
            1,
            f"{{in}}/captions.xml does not end as a caption file: {HOW_TO_NAME_A_FORMAT}",
        ),
        (
            "ingest {in}/captions.txt --format poem",
            2,
            (
                "Invalid value for '--format': there is no caption format 'poem'; the formats are coco, jsonl, csv, "
                "tsv, parquet, text. See `freeda ingest --help`."
            ),
        ),
        (
            "ingest {in}/captions.txt {in}/table.csv --column alt",
            1,
            "{in}/captions.txt has no columns to choose from; leave --column out",
        ),
        (
            "ingest {in}/table.csv --column alt",
            1,
            (
                "{in}/table.csv: there is no column 'alt'; choose one with --column: id, title"
                " (or by number, from 1, when that is no header)"
            ),
        ),
        (
            "captions nouns {in}/table.csv",
            1,
            (
                "{in}/table.csv: there is no column 'caption' or 'text'; choose one with --column: id, title"
                " (or by number, from 1, when that is no header)"
            ),
        ),
        ("captions nouns {in}", 1, f"{{in}} is a directory; give a caption file, {CAPTION_ENDINGS}"),
        ("ingest {in}/long.txt", 1, "{in}/long.txt has no captions that can be used (1 too long)"),
        (
            "ingest {in}/captions.txt {in}/latin.csv",
            1,
            (
                "{in}/latin.csv is not UTF-8 text, it looks like Windows-1252, Latin-1 or another encoding of one "
                "language (byte e9 in line 2); save it as UTF-8"
            ),
        ),
        ("ingest", 2, "Missing argument 'FILES...'. See `freeda ingest --help`."),
        (
            "ingest {in}/captions.txt --limit 0",
            2,
            "Invalid value for '--limit': 0 is not in the range x>=1. See `freeda ingest --help`.",
        ),
        ("bank add-exemplars", 2, f"Give --image and --mask for each example, or --annotations. {SEE_EXEMPLARS}"),
        (
            "bank add-exemplars --image {in}/scene-0.png --mask {in}/mask-0.png",
            2,
            "Say with one --noun what the masks show; nouns of several masks go in several calls. " + SEE_EXEMPLARS,
        ),
        (
            "bank add-exemplars --noun moon --image {in}/scene-0.png --mask {in}/mask-0.png --folder {in}",
            2,
            f"--folder goes with --annotations. {SEE_EXEMPLARS}",
        ),
        (
            "bank add-exemplars --annotations {in}/marks.json --mask {in}/mask-0.png",
            2,
            "--annotations names images, masks and captions; leave --image, --mask, --caption out. " + SEE_EXEMPLARS,
        ),
        (
            "bank add-exemplars --noun moon --image {in}/scene-0.png --image {in}/scene-1.png --mask {in}/mask-0.png",
            1,
            "2 images and 1 mask were given; give one mask per image, in the same order",
        ),
        (
            "bank add-exemplars --noun moon --image {in}/none.png --mask {in}/mask-0.png",
            1,
            "no such image file: {in}/none.png",
        ),
        (
            (
                "bank add-exemplars --noun moon --image {in}/scene-0.png --mask {in}/mask-0.png"
                " --image {in}/scene-1.png --mask {in}/mask-empty.png"
            ),
            1,
            "the mask {in}/mask-empty.png is empty; give the object's pixels a value that is not zero",
        ),
        (
            "bank add-exemplars --noun moon --image {in}/scene-0.png --mask {in}/mask-wide.png",
            1,
            (
                "the mask {in}/mask-wide.png is 65 x 64 pixels, but its image {in}/scene-0.png 64 x 64; "
                "give a mask of the image's own size"
            ),
        ),
        (
            "bank add-exemplars --annotations {in}/marks.json --noun zebra",
            1,
            (
                "{in}/marks.json has no category 'zebra'; its categories are ball, boat, box, car, fish, flower, "
                "grass, house, moon, sand, sky, sun, tree, water"
            ),
        ),
        (
            "bank add-exemplars --annotations {in}/empty.json",
            1,
            (
                "{in}/empty.json has no images; expected COCO annotations, an object with the lists 'images', "
                "'annotations' and 'categories'"
            ),
        ),
        ("segment {in}/none.png -c ball", 1, "no such image file: {in}/none.png"),
        (
            "segment {in}/no-image.png -c ball",
            1,
            "{in}/no-image.png is not an image in a known format; give a file such as JPEG or PNG",
        ),
        (
            "segment {in}/no-image.png {in}/none.png -c ball",
            1,
            "{in}/no-image.png is not an image in a known format; give a file such as JPEG or PNG (and 1 more)",
        ),
        (
            "segment {in}/scene-0.png -c ,",
            2,
            (
                "Invalid value for '--categories': the list of categories is empty; name at least one, such as "
                f"--categories 'ball, sky'. {SEE_SEGMENT}"
            ),
        ),
        (
            "segment {in}/scene-0.png -c ball,,sky",
            2,
            (
                "Invalid value for '--categories': a category between two commas is missing in 'ball,,sky'; write "
                f"'ball, sky'. {SEE_SEGMENT}"
            ),
        ),
        (
            "segment {in}/scene-0.png -c ball,Ball",
            2,
            "Invalid value for '--categories': the category 'Ball' is given twice; name every category once. "
            + SEE_SEGMENT,
        ),
        (
            "segment {in}/scene-0.png",
            2,
            f"Say what to look for with --categories, --categories-file, --vocabulary or --auto. {SEE_SEGMENT}",
        ),
        (
            "segment {in}/scene-0.png -c a --local tanh",
            2,
            "Invalid value for '--local': local_similarity is 'tanh', but must be one of sigmoid, cosine. "
            + SEE_SEGMENT,
        ),
        (
            "segment {in}/scene-0.png -c ball --beta 2",
            2,
            "Invalid value for '--beta': beta is 2, but must be a number from 0 to 1. See `freeda segment --help`.",
        ),
        (
            "segment {in}/scene-0.png -c ball --resume",
            2,
            f"--resume goes with --out DIR. {SEE_SEGMENT}",
        ),
        (
            "segment {in}/scene-0.png -c ball --wait --out {in}/captions.txt/new",
            1,
            "{in}/captions.txt/new cannot be written: {in}/captions.txt is no folder that can; choose another folder",
        ),
        ("jobs show 0123456789ab", 1, "there is no job '0123456789ab'; `freeda jobs list` shows them"),
        ("jobs watch zebra", 1, "there is no job 'zebra'; `freeda jobs list` shows them"),
        ("jobs cancel 0123456789ab", 1, "there is no job '0123456789ab'; `freeda jobs list` shows them"),
        ("jobs retry 0123456789ab", 1, "there is no job '0123456789ab'; `freeda jobs list` shows them"),
        ("jobs export 0123456789ab --out {in}/new", 1, "there is no job '0123456789ab'; `freeda jobs list` shows them"),
        ("fly", 2, "No such command 'fly'. See `freeda --help`."),
        ("worker", 1, "no broker_url is set: set FREEDA_BROKER_URL, or run `freeda up` with its own broker"),
    ],
)
def test_is_one_line_and_nothing_is_accepted(  # noqa: PLR0917 - pytest passes them by name
    freeda: Freeda, home: Path, inputs: Path, arguments: str, code: int, message: str
) -> None:
    before = _files(inputs)
    ran = freeda(*(argument.replace("{in}", str(inputs)) for argument in arguments.split()))
    assert ran.err == f"Error: {message.replace('{in}', str(inputs))}\n"
    assert (ran.code, ran.out) == (code, "")
    assert _accepted(home) == []
    assert not list(home.rglob("inputs/*"))
    assert _files(inputs) == before


def test_truncated_captions_are_refused(freeda: Freeda, home: Path, inputs: Path) -> None:
    ran = freeda("ingest", inputs / "cut.json")
    assert ran.err.startswith(f"Error: {inputs}/cut.json: not valid JSON, perhaps cut off (")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert _accepted(home) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("ingest {in}/captions.txt {in}/broken.txt.gz", "its gzip compression is broken or cut off ("),
        ("ingest {in}/captions.txt {in}/broken.parquet", "not a valid Parquet file, perhaps cut off ("),
        ("captions nouns {in}/captions.txt {in}/cut.json", "not valid JSON, perhaps cut off ("),
    ],
)
def test_a_broken_file_after_a_good_one_is_refused(
    freeda: Freeda, home: Path, inputs: Path, command: str, message: str
) -> None:
    arguments = command.replace("{in}", str(inputs)).split()
    ran = freeda(*arguments)
    assert ran.err.startswith(f"Error: {arguments[-1]}: {message}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert _accepted(home) == []


@pytest.mark.parametrize("question", ["stats", "nouns", "search ball"])
def test_a_bank_that_is_missing_says_what_to_do_first(freeda: Freeda, home: Path, question: str) -> None:
    ran = freeda("bank", *question.split(), "--json")
    assert ran.err.startswith("Error: there is no bank default yet: run `freeda ingest FILE` first")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("command", ["ingest {in}/captions.txt", "segment {in}/scene-0.png -c ball", "up", "jobs list"])
def test_a_home_that_cannot_be_written(
    freeda: Freeda, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inputs: Path, command: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path / "file" / "home"))
    ran = freeda(*command.replace("{in}", str(inputs)).split())
    assert ran.err == (
        f"Error: the home {tmp_path}/file/home cannot be written: Not a directory; "
        "set FREEDA_HOME to a folder that can\n"
    )
    assert (ran.code, ran.out) == (1, "")
    assert _files(tmp_path) == ["file"]


@pytest.mark.parametrize("command", ["ingest {in}/captions.txt", "segment {in}/scene-0.png -c ball", "up", "worker"])
def test_a_broker_that_is_down(
    freeda: Freeda, monkeypatch: pytest.MonkeyPatch, home: Path, inputs: Path, command: str
) -> None:
    monkeypatch.setenv("FREEDA_BROKER_URL", "redis://:secret@127.0.0.1:1/0")
    ran = freeda(*command.replace("{in}", str(inputs)).split())
    assert ran.err == "Error: the broker redis://:***@127.0.0.1:1/0 does not answer: start it, or correct broker_url\n"
    assert (ran.code, ran.out) == (1, "")
    monkeypatch.delenv("FREEDA_BROKER_URL")
    assert _accepted(home) == []


@pytest.mark.parametrize("command", ["ingest {in}/captions.txt", "segment {in}/scene-0.png -c ball", "up"])
def test_a_pack_that_does_not_exist_is_refused(
    freeda: Freeda, monkeypatch: pytest.MonkeyPatch, home: Path, inputs: Path, command: str
) -> None:
    monkeypatch.setenv("FREEDA_PACK", "zebra")
    ran = freeda(*command.replace("{in}", str(inputs)).split())
    assert ran.err.startswith("Error: there is no pack 'zebra': give the name of a bundled one (miniature, ")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    monkeypatch.delenv("FREEDA_PACK")
    assert _accepted(home) == []


def test_an_impossible_setting_is_refused(freeda: Freeda, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("FREEDA_LOG_FORMAT", "poem")
    ran = freeda("jobs", "list")
    assert ran.err == "Error: environment: log_format is 'poem', but must be one of console, json\n"
    assert ran.code == 1
    assert not home.exists()


def test_a_second_worker_is_refused(freeda: Freeda, home: Path) -> None:
    settings = load_settings(home=home)
    prepare_home(settings)
    with worker_lock(settings):
        ran = freeda("up")
    assert ran.err.startswith("Error: process ")
    assert f" is already the worker of {home}" in ran.err
    assert ran.err.count("\n") == 1
    assert ran.code == 1


def test_what_has_ended_or_gone_well_cannot_be_cancelled_or_tried_again(
    freeda: Freeda, inputs: Path, tmp_path: Path
) -> None:
    submitted = freeda("ingest", inputs / "captions.txt", "--limit", 1, "--quiet")
    job = submitted.out.strip()
    assert (submitted.code, submitted.err) == (0, "")
    assert freeda("jobs", "retry", job).err == f"Error: job {job} has no failed items\n"
    export = freeda("jobs", "export", job, "--out", tmp_path / "out")
    assert export.err.startswith(f"Error: job {job} adds to the bank")
    assert not (tmp_path / "out").exists()
    cancelled = freeda("jobs", "cancel", job[:6])
    assert (cancelled.code, cancelled.out) == (0, "1 item cancelled\n")
    again = freeda("jobs", "cancel", job)
    assert again.code == 1
    assert again.err.startswith(f"Error: job {job} is cancelled already")
    assert freeda("jobs", "retry", job).err.startswith(f"Error: job {job} was cancelled")
    watched = freeda("jobs", "watch", job)
    assert (watched.code, watched.out) == (1, f"job {job} is cancelled\n")
    assert watched.err == "ingest: 0 of 1 captions\n"


def test_an_error_of_several_lines_is_folded_into_one(freeda: Freeda, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise BusyError("held by\n another")

    monkeypatch.setattr(freeda_group, "get_command", fail)
    ran = freeda("jobs", "list")
    assert (ran.code, ran.err) == (1, "Error: held by another\n")


@pytest.mark.end_to_end
def test_a_process_ends_as_a_call_does(start: Start, tmp_path: Path, inputs: Path) -> None:
    image = inputs / "no-image.png"
    commands = {
        start(tmp_path / "home", "ingest", inputs / "captions.txt", FREEDA_BROKER_URL=NO_BROKER): (
            1,
            "does not answer",
        ),
        start(tmp_path / "home", "segment", image, "-c", "ball"): (1, "is not an image"),
        start(tmp_path / "home", "segment", image, "-c", "ball", "--k", "x"): (
            2,
            "k is 'x', but must be a whole number of at least 1",
        ),
    }
    for process, (code, message) in commands.items():
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (code, "")
        assert err.startswith("Error: ")
        assert message in err
        assert err.count("\n") == 1
    assert _accepted(tmp_path / "home") == []
