import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from freeda_svc.captions import (
    LONGEST_CAPTION,
    CaptionTally,
    make_caption,
    parquet_column,
    read_captions,
    readers,
    sources,
)
from freeda_svc.errors import InputError, UnavailableError

SHARED = Path(os.environ.get("FREEDA_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def texts(path: Path) -> list[str]:
    return [caption.text for caption in read_captions(path)]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def coco(*captions: object) -> str:
    rows = [{"image_id": 1, "id": number, "caption": caption} for number, caption in enumerate(captions)]
    return json.dumps({"info": {}, "annotations": rows})


def test_a_text_file_has_a_caption_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "A dog.\r\n\n  a  boat\ton water \nA dog.\na café")
    assert texts(path) == ["A dog.", "a boat on water", "a café"]


def test_a_byte_order_mark_is_no_part_of_a_caption(tmp_path: Path) -> None:
    for name, content in [("a.txt", "dog"), ("a.jsonl", '{"text": "dog"}'), ("a.json", coco("dog"))]:
        assert texts(write(tmp_path, name, b"\xef\xbb\xbf" + content.encode())) == ["dog"]


def test_json_lines_name_the_caption_by_either_field(tmp_path: Path) -> None:
    path = write(tmp_path, "A.JSONL", '{"caption": "a dog", "text": "no"}\n\n{"id": 3, "text": "a cat"}\n')
    assert texts(path) == ["a dog", "a cat"]


def test_coco_captions_are_read_in_order_and_once(tmp_path: Path) -> None:
    path = write(tmp_path, "captions.json", coco("B dog \n", "A  cat", "B dog"))
    assert list(read_captions(path)) == [make_caption("B dog"), make_caption("A cat")]


def test_captions_come_before_the_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": "a dog"}\n{"text": "a cat"}\nbroken\n')
    captions = read_captions(path)
    assert next(captions).text == "a dog"
    assert next(captions).text == "a cat"
    with pytest.raises(InputError, match="line 3: not valid JSON"):
        next(captions)


def parquet(folder: Path, name: str, table: dict[str, list[object]]) -> Path:
    path = folder / name
    pq.write_table(pa.table(table), path)
    return path


def test_tables_have_captions_in_a_column(tmp_path: Path) -> None:
    table = 'id,title,caption\r\n1,x,"a dog, a cat"\r\n2,y,"two\nlines"\r\n3\r\n\r\n'
    path = write(tmp_path, "a.csv", table)
    tally = CaptionTally()
    assert [caption.text for caption in read_captions(path, tally=tally)] == ["a dog, a cat", "two lines"]
    assert (tally.read, tally.empty) == (3, 1)
    assert [caption.text for caption in read_captions(path, column="title")] == ["x", "y"]
    assert texts(write(tmp_path, "a.TSV", "text\tid\na dog, a cat\t1\n")) == ["a dog, a cat"]


def test_json_lines_have_captions_in_a_named_field(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ndjson", '{"alt": "a dog", "caption": 3}\n')
    assert [caption.text for caption in read_captions(path, column="alt")] == ["a dog"]


def test_parquet_has_captions_in_a_column(tmp_path: Path) -> None:
    path = parquet(tmp_path, "a.parquet", {"n": [1, 2, 3], "text": ["a dog", None, "a cat"], "alt": ["b", "c", "d"]})
    tally = CaptionTally()
    assert [caption.text for caption in read_captions(path, tally=tally)] == ["a dog", "a cat"]
    assert (tally.read, tally.empty) == (3, 1)
    assert [caption.text for caption in read_captions(path, column="alt")] == ["b", "c", "d"]


def test_without_its_extra_parquet_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path, "a.parquet", {"text": ["a dog"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        UnavailableError, match=r"reading Parquet needs pyarrow \(.*\); pip install 'freeda-svc\[parquet\]'$"
    ):
        texts(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "a dog\n"), ("a.jsonl", '{"text": "a dog"}'), ("a.json", coco("a dog")), ("a.csv", "text\na dog\n")],
)
def test_what_is_compressed_with_gzip_is_unpacked(tmp_path: Path, name: str, content: str) -> None:
    assert texts(write(tmp_path, f"{name}.gz", gzip.compress(content.encode()))) == ["a dog"]
    assert texts(write(tmp_path, name, gzip.compress(content.encode()))) == ["a dog"]


def test_compressed_parquet_is_unpacked(tmp_path: Path) -> None:
    content = parquet(tmp_path, "a.parquet", {"text": ["a dog"]}).read_bytes()
    assert texts(write(tmp_path, "b.parquet.gz", gzip.compress(content))) == ["a dog"]


def test_a_named_format_goes_before_the_ending(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", '{"text": "a dog"}\n{"text": "a cat"}\n')
    assert [caption.text for caption in read_captions(path, format_name="jsonl")] == ["a dog", "a cat"]


@pytest.mark.parametrize(
    ("format_name", "content"),
    [("", b"a dog\n"), ("csv", b"text\na dog\n"), ("coco", coco("a dog").encode()), ("", gzip.compress(b"a dog"))],
)
def test_standard_input_is_text_or_of_a_named_format(
    monkeypatch: pytest.MonkeyPatch, format_name: str, content: bytes
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))
    captions = read_captions(Path("-"), format_name=format_name)
    assert [caption.text for caption in captions] == ["a dog"]


def test_parquet_may_come_through_a_pipe(tmp_path: Path) -> None:
    path = parquet(tmp_path, "a.parquet", {"text": ["a dog"]})
    code = (
        "from pathlib import Path; from freeda_svc.captions import read_captions; "
        "print([caption.text for caption in read_captions(Path('-'), format_name='parquet')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=path.read_bytes(), stdout=subprocess.PIPE, check=True)
    assert ran.stdout == b"['a dog']\n"


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    lines = ["a dog", "", "a  dog", "x" * 1000, "y" * 1001, "a " * 5000, "\u200b", "a cat"]
    tally = CaptionTally()
    found = list(read_captions(write(tmp_path, "a.txt", "\n".join(lines)), tally=tally))
    assert [caption.text for caption in found] == ["a dog", "x" * LONGEST_CAPTION, "a cat"]
    assert tally == CaptionTally(read=8, empty=2, too_long=2, repeated=1)
    assert tally.left_out == {"empty": 2, "too long": 2, "repeated": 1}


def test_other_parts_of_a_coco_file_are_no_captions(tmp_path: Path) -> None:
    rows = [{"segments": [{"caption": "no"}], "caption": "a dog", "area": {"caption": "no"}}, {"caption": "a cat"}]
    content = {
        "images": [{"caption": "no", "annotations": [{"caption": "no"}]}],
        "annotations": rows,
        "more": [{"caption": "no"}],
        "other": {"annotations": [{"caption": "no"}]},
    }
    assert texts(write(tmp_path, "a.json", json.dumps(content))) == ["a dog", "a cat"]


@pytest.mark.parametrize("format_name", ["text", "jsonl", "coco", "csv", "parquet"])
@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path, format_name: str) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.txt"
        captions = [f"a dog number {number} beside a cat number {number} on a sofa" for number in range(count)]
        if format_name == "parquet":
            pq.write_table(pa.table({"text": captions}), path, row_group_size=1000)
        elif format_name == "coco":
            path.write_text(coco(*captions))
        else:
            shape = {"text": "{}\n", "csv": '1,"{}"\n', "jsonl": '{{"text": "{}"}}\n'}[format_name]
            head = "id,text\n" if format_name == "csv" else ""
            path.write_text(head + "".join(shape.format(caption) for caption in captions))
        del captions
        tracemalloc.start()
        assert sum(1 for _ in read_captions(path, format_name=format_name)) == count
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    peak(10)  # what is imported for the first time counts, too
    assert peak(20_000) < peak(2_000) + 200_000


def test_texts_that_are_no_captions_by_far_are_only_counted(tmp_path: Path) -> None:
    long = "a dog " * 20_000
    pq.write_table(pa.table({"text": [long, "a dog"] * 100}), tmp_path / "a.parquet")
    rows = "".join(json.dumps({"text": text}) + "\n" for text in [long, "a dog"])
    for path, most in [(tmp_path / "a.parquet", 100), (write(tmp_path, "a.jsonl", rows), 1)]:
        tally = CaptionTally()
        assert [caption.text for caption in read_captions(path, tally=tally)] == ["a dog"]
        assert (tally.read, tally.too_long, tally.repeated) == (2 * most, most, most - 1)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_value_of_json_that_takes_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sources, "LONGEST_VALUE", 1 << 17)
    unpack = gzip.compress if name.endswith(".gz") else bytes
    fine = coco("a dog", *("x" * 100_000 for _ in range(5)), "a cat").encode()
    assert texts(write(tmp_path, name, unpack(fine))) == ["a dog", "a cat"]
    for long in ("x" * (1 << 18), '\\"' * (1 << 17)):
        with pytest.raises(InputError, match=r"a\.json.*: a value takes more than 131,072 bytes, so it is no caption"):
            texts(write(tmp_path, name, unpack(coco("a dog", long).encode())))


def test_more_captions_than_a_file_may_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_CAPTIONS", 2)
    monkeypatch.setattr(parquet_column, "MOST_CAPTIONS", 2)
    with pytest.raises(InputError, match=r"a\.txt has more than 2 captions; split it$"):
        texts(write(tmp_path, "a.txt", "a dog\n" * 3))
    with pytest.raises(InputError, match=r"a\.parquet has 3 rows, more than 2; split it$"):
        texts(parquet(tmp_path, "a.parquet", {"text": ["a dog"] * 3}))
    monkeypatch.setattr(parquet_column, "MOST_LISTED", 2)
    with pytest.raises(InputError, match=r"has 3 values in its column 'text', expected at most 2; write smaller row"):
        texts(parquet(tmp_path, "a.parquet", {"text": [["a dog", "a cat", "a boat"]]}))


def test_what_is_unpacked_to_a_temporary_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_COPY", 100)
    content = gzip.compress(parquet(tmp_path, "a.parquet", {"text": ["a dog"]}).read_bytes())
    with pytest.raises(InputError, match="unpacked it takes more than 100 bytes; unpack it to a file"):
        texts(write(tmp_path, "b.parquet.gz", content))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"caf\xe9\n", "is not UTF-8 text"),
        ("a.txt", "a dog".encode("utf-16"), "is not UTF-8 text, it looks like UTF-16; save it as UTF-8"),
        ("a.txt", "a dog".encode("utf-16-le"), "is not UTF-8 text, it looks like UTF-16; save it as UTF-8"),
        ("a.csv", b"caption\ncaf\xe9\n", "is not UTF-8 text"),
        ("a.tsv", "caption\na dog".encode("utf-16"), "is not UTF-8 text"),
        ("a.json", "{}".encode("utf-16"), "is not UTF-8 text"),
        ("a.json", coco("caf\xe9").replace("\\u00e9", "\xe9").encode("latin-1"), "is not UTF-8 text"),
        ("a.jsonl", b'{"text": "caf\xe9"}', "is not UTF-8 text"),
        ("a.txt", b"\0\0\0", "line 1: not a text file"),
        ("a.txt", b"x" * (1 << 24), "line 1: longer than 4,194,304 characters"),
        ("a.txt", "", "has no captions"),
        ("a.txt", " \n\t\n", r"has no captions that can be used \(2 empty\)"),
        ("a.txt", "x" * 10_000, r"has no captions that can be used \(1 too long\)"),
        ("a.jsonl", "\n", "has no captions"),
        ("a.jsonl", '{"caption": null}', r"has no captions that can be used \(1 empty\)"),
        ("a.csv", "", "has no captions"),
        ("a.csv", "caption\n", "has no captions"),
        ("a.json", coco(), "has no captions"),
        ("a.json", coco(" "), r"has no captions that can be used \(1 empty\)"),
        ("a.json", "", "not valid JSON"),
        ("a.json", coco("a dog")[:-5], "not valid JSON, perhaps cut off"),
        ("a.json", coco("a dog", "a cat")[:-25], "not valid JSON, perhaps cut off"),
        ("a.json", coco("a dog") + "}", "not valid JSON"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.json", "[1]", "expected COCO captions, an object with a list 'annotations'"),
        ("a.json", '{"annotations": {"a": {"caption": "a dog"}}}', "expected COCO captions"),
        ("a.json", coco(3), "annotation 0: a caption must be a text, not int"),
        ("a.json", coco(["a dog"]), "annotation 0: a caption must be a text, not dict"),
        (
            "a.json",
            '{"annotations": [{"caption": "a dog", "n": ' + "9" * 5000 + "}]}",
            "not valid JSON, .*a number of 4,300 digits or more",
        ),
        ("a.json", '{"annotations": [3]}', "annotation 0: expected an object"),
        ("a.json", '{"annotations": [{"bbox": []}]}', "annotation 0: expected an object"),
        ("a.jsonl", '["a dog"]', "line 1: expected an object with a text"),
        ("a.jsonl", '{"caption": 3}', "line 1: a caption must be a text, not int"),
        ("a.jsonl", '{"title": "a dog"}', "line 1: there is no field 'caption' or 'text'; .*--column: title$"),
        (
            "a.csv",
            "id,title\n1,a dog\n",
            "there is no column 'caption' or 'text'; choose one with --column: id, title \\(or by number",
        ),
        ("a.csv", 'caption\n"a dog\na cat\n', r"line 3: not a valid table \(unexpected end of data\)"),
        ("a.txt.gz", b"a dog", "its gzip compression is broken or cut off"),
        ("a.txt.gz", gzip.compress(b"a dog\n" * 999)[:-9], "its gzip compression is broken or cut off"),
        ("a.txt.gz", gzip.compress(b"a dog")[:12] + b"\xff" * 20, "its gzip compression is broken or cut off"),
        ("a.parquet", b"PAR1 is how they begin", "not a valid Parquet file, perhaps cut off"),
        ("a.parquet", b"", "not a valid Parquet file, perhaps cut off"),
        ("a.xml", "a dog", "does not end as a caption file: give one of .json, .* or name its format with --format"),
        ("captions", "a dog", "does not end as a caption file"),
        ("captions.gz", "a dog", "does not end as a caption file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(InputError, match=message) as caught:
        texts(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parquet_that_is_cut_off_or_has_no_such_column_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, "a.parquet", {"n": [1, 2], "title": ["a dog", "a cat"]})
    with pytest.raises(
        InputError, match=r"there is no column 'caption' or 'text'; choose one with --column: n, title$"
    ):
        texts(path)
    with pytest.raises(
        InputError, match=r"column 'n': it holds int64, but captions are texts or lists of texts; choose another"
    ):
        list(read_captions(path, column="n"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a valid Parquet file, perhaps cut off") as caught:
        texts(path)
    assert "\n" not in str(caught.value)


def test_a_column_or_format_that_there_is_not_is_refused(tmp_path: Path) -> None:
    table, lines = write(tmp_path, "a.csv", "caption,b\nx,y\n"), write(tmp_path, "a.txt", "a dog")
    with pytest.raises(
        InputError, match=r"there is no column 'c'; choose one with --column: caption, b \(or by number"
    ):
        list(read_captions(table, column="c"))
    with pytest.raises(InputError, match=r"has no columns to choose from; leave --column out$"):
        list(read_captions(lines, column="caption"))
    with pytest.raises(
        InputError, match="there is no caption format 'yaml'; the formats are coco, jsonl, csv, tsv, par"
    ):
        list(read_captions(lines, format_name="yaml"))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such caption file: .*missing\.txt"):
        texts(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="is a directory"):
        texts(tmp_path)


def test_reading_captions_can_end_early(tmp_path: Path) -> None:
    for name, content in [("a.txt", "a dog\na cat\n"), ("a.json", coco("a dog", "a cat")), ("a.csv", "text\na\nb\n")]:
        captions = read_captions(write(tmp_path, name, content))
        next(captions)
        captions.close()


def test_real_caption_files_are_read() -> None:
    path = SHARED / "data" / "captions_val2017.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    captions = list(read_captions(path))
    assert 24_000 < len(captions) < 25_015
    assert len({caption.id for caption in captions}) == len(captions)
    assert all(caption.text == " ".join(caption.text.split()) for caption in captions)
