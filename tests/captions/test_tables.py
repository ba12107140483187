import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.captions import CaptionTally, read_captions
from freeda_svc.captions.tables import plain_rows
from freeda_svc.errors import InputError

CONCEPTUAL = 'caption\turl\n"hello world poster\ta\na red boat\tb\na tv of 14"\tc\nfour dogs\td\n'


def texts(folder: Path, name: str, content: str, **options: str) -> list[str]:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return [caption.text for caption in read_captions(path, **options)]


def rows(content: str, separator: str = "\t") -> list[list[str]]:
    return list(plain_rows(iter(io.StringIO(content, newline="")), separator))


def test_quotes_of_tables_that_have_no_quoting_are_text(tmp_path: Path) -> None:
    found = texts(tmp_path, "a.tsv", CONCEPTUAL)
    assert found == ['"hello world poster', "a red boat", 'a tv of 14"', "four dogs"]
    swapped = "".join("\t".join(reversed(line.split("\t"))) + "\n" for line in CONCEPTUAL.splitlines())
    assert texts(tmp_path, "b.tsv", swapped) == found
    bars = CONCEPTUAL.replace("\t", "|")
    assert texts(tmp_path, "c.csv", bars, separator="|") == found


def test_quotes_of_programs_that_quote_are_undone(tmp_path: Path) -> None:
    table = 'caption\turl\n"a ""red"" boat, a ball"\ta\n"two\tparts"\tb\n"two\nlines"\tc\n""\td\n"last"\te'
    assert texts(tmp_path, "a.tsv", table) == ['a "red" boat, a ball', "two parts", "two lines", "last"]


@pytest.mark.parametrize("place", [0, 1, 2])
@given(
    captions=st.lists(st.text("ab \"'\t\n\r,|;é", min_size=1), min_size=1).filter(
        lambda found: not any("\t" in each and ("\n" in each or "\r" in each) for each in found)
    )
)
def test_what_the_csv_module_writes_with_tabs_comes_back(captions: list[str], place: int) -> None:
    written = io.StringIO(newline="")
    table = csv.writer(written, delimiter="\t")
    names = ["n", "caption", "url"]
    names.insert(place, names.pop(1))
    table.writerow(names)
    for number, caption in enumerate(captions):
        row = [str(number), f"http://x/{number}"]
        row.insert(place, caption)
        table.writerow(row)
    assert [row[place] for row in rows(written.getvalue())[1:]] == captions


def test_a_quote_that_is_never_closed_costs_one_row() -> None:
    content = 'a\tb\n1\t"open\n2\tx\n"open\n3\ty\n' + '"\n' * 200
    found = rows(content)
    assert found[:5] == [["a", "b"], ["1", '"open'], ["2", "x"], ['"open'], ["3", "y"]]
    assert len(found) == 205


@pytest.mark.parametrize("separator", [",", ";"])
def test_commas_and_semicolons_part_fields_that_are_quoted(tmp_path: Path, separator: str) -> None:
    table = f'n{separator}caption\n1{separator}"a dog{separator} a ""cat""\nand more"\n2{separator}a tv of 14"\n'
    found = texts(tmp_path, "a.csv", table, separator=separator)
    assert found == [f'a dog{separator} a "cat" and more', 'a tv of 14"']


def test_a_column_is_named_by_its_number_where_there_is_no_header(tmp_path: Path) -> None:
    pairs = "a ball on the sand\thttp://x/1\na boat on the water\thttp://x/2\n"
    assert texts(tmp_path, "a.tsv", pairs, column="1") == ["a ball on the sand", "a boat on the water"]
    assert texts(tmp_path, "a.txt", pairs, column="1", separator="tab") == ["a ball on the sand", "a boat on the water"]
    with pytest.raises(
        InputError, match=r"choose one with --column: a ball on the sand, http://x/1 \(or by number, from 1"
    ):
        texts(tmp_path, "a.tsv", pairs)
    for column in ("0", "3", "99999999999999999999"):
        with pytest.raises(InputError, match=rf"there is no column {column}; its first row has 2$"):
            texts(tmp_path, "a.tsv", pairs, column=column)


def test_a_header_is_no_caption_even_where_columns_are_numbered(tmp_path: Path) -> None:
    bars = "image_name| comment_number| comment\n1.jpg| 0| Two boats on the water .\n"
    for column in ("3", "comment", "Comment "):
        assert texts(tmp_path, "a.csv", bars, separator="|", column=column) == ["Two boats on the water ."]
    assert texts(tmp_path, "b.csv", "0,1\na dog,x\n", column="1") == ["x"], "a name goes before a number"


def test_a_separator_is_noticed_when_it_is_another(tmp_path: Path) -> None:
    for name, line, separator in [("a.csv", "n;text", "';'"), ("a.csv", "n\ttext", "tab"), ("a.tsv", "n,text", "','")]:
        with pytest.raises(InputError, match=rf"if {separator} parts its columns, add --separator {separator}$"):
            texts(tmp_path, name, f"{line}\n1,a dog\n")


def test_a_separator_is_one_character_of_a_table(tmp_path: Path) -> None:
    assert texts(tmp_path, "a.csv", "n\ttext\n1\ta dog\n", separator="\\t") == ["a dog"]
    with pytest.raises(InputError, match="a separator is one character"):
        texts(tmp_path, "a.csv", "a\n", separator="||")
    with pytest.raises(InputError, match="is no table of text; leave --separator out, or say --format csv"):
        texts(tmp_path, "a.jsonl", "a\n", separator="|")


def test_rows_with_more_fields_than_columns_are_counted(tmp_path: Path) -> None:
    path, tally = tmp_path / "a.csv", CaptionTally()
    path.write_text("caption,url\na dog,a cat,x\na boat,y,,\na ball\n")
    assert [caption.text for caption in read_captions(path, tally=tally)] == ["a boat", "a ball"]
    assert (tally.read, tally.left_out) == (3, {"malformed": 1})


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl"])
def test_lines_may_end_with_a_carriage_return_alone(tmp_path: Path, name: str) -> None:
    content = {"a.txt": "a dog\ra cat\r", "a.jsonl": '{"text": "a dog"}\r{"text": "a cat"}\r'}
    assert texts(tmp_path, name, content.get(name, "caption\ra dog\ra cat\r")) == ["a dog", "a cat"]


@pytest.mark.parametrize("heading", ["TEXT", "Caption", " caption ", "\ufeffcaption"])
def test_columns_are_found_in_any_case(tmp_path: Path, heading: str) -> None:
    assert texts(tmp_path, "a.csv", f"{heading},id\na dog,1\n") == ["a dog"]
    assert texts(tmp_path, "a.jsonl", f'{{"{heading.strip(chr(0xFEFF))}": "a dog"}}\n') == ["a dog"]
    pq.write_table(pa.table({heading.strip("\ufeff"): ["a dog"]}), tmp_path / "a.parquet")
    assert [caption.text for caption in read_captions(tmp_path / "a.parquet")] == ["a dog"]
    assert texts(tmp_path, "b.csv", "TITLE,title\nx,y\n", column="title") == ["y"], "as it is written goes first"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,caption\n1.jpg,A boat .\n", "is a table, .*'image,caption'; say --format csv$"),
        ("image_name| comment\n1.jpg| A boat\n", r"say --format csv --separator '\|' --column comment$"),
        ("1.jpg#0\tA boat .\n1.jpg#1\tA dog .\n", "begin with names of images: .*; say --format tsv --column 2,"),
        ("a/1.png,A boat\nb/2.png,A dog\n", "begin with names of images: .*; say --format csv --column 2,"),
        ("1.JPG A boat\n2.JPG A dog\n", "begin with names of images: .*; cut the names off"),
        ("a boat\tx\na dog\ty\n", "is a table, .* tabs part its lines: .*; say --format tsv and which --column"),
        ('{"caption": "a dog"}\n', "its lines are JSON, not captions; say --format jsonl, or coco"),
        ('{"annotations": [\n', "its lines are JSON, not captions; say --format jsonl, or coco"),
    ],
)
def test_what_is_no_plain_text_is_noticed(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        texts(tmp_path, "a.txt", content)
    assert "\n" not in str(caught.value)


def test_captions_that_look_a_little_like_tables_are_captions(tmp_path: Path) -> None:
    lines = ["text, a caption", "a dog.jpg", "a boat|a ball", "{a dog}", "a\tb", "x.png on a screen", "text"]
    assert texts(tmp_path, "a.txt", "\n".join(lines)) == [line.replace("\t", " ") for line in lines]


def parquet(folder: Path, array: pa.Array) -> list[str]:
    pq.write_table(pa.table({"caption": array}), folder / "a.parquet")
    return [caption.text for caption in read_captions(folder / "a.parquet")]


@pytest.mark.parametrize("inner", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view()])
def test_parquet_holds_texts_or_lists_of_texts(tmp_path: Path, inner: pa.DataType) -> None:
    assert parquet(tmp_path, pa.array(["a dog", None, "a café"], inner)) == ["a dog", "a café"]
    lists = [["a dog", "a cat"], [], None, ["a boat", None]]
    for kind in (pa.list_(inner), pa.large_list(inner)):
        assert parquet(tmp_path, pa.array(lists, kind)) == ["a dog", "a cat", "a boat"]
    assert parquet(tmp_path, pa.array([["a", "b"], ["c", "d"]], pa.list_(inner, 2))) == ["a", "b", "c", "d"]


def test_parquet_holds_texts_said_once(tmp_path: Path) -> None:
    assert parquet(tmp_path, pa.array(["a dog", "a cat", "a dog"]).dictionary_encode()) == ["a dog", "a cat"]


def test_json_lines_hold_lists_of_captions(tmp_path: Path) -> None:
    assert texts(tmp_path, "a.jsonl", '{"text": ["a dog", "a cat"]}\n{"text": []}\n') == ["a dog", "a cat"]
    with pytest.raises(InputError, match="line 1: a caption must be a text, not int"):
        texts(tmp_path, "a.jsonl", '{"text": ["a dog", 0]}\n')


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([10**18], pa.timestamp("ms")), r"column 'caption': it holds timestamp\[ms\], but captions are texts"),
        (pa.array([1], pa.date32()), r"it holds date32\[day\], but captions are texts"),
        (pa.array([{"raw": "a dog"}]), r"it holds struct<raw: string>, but captions are texts"),
        (pa.array([[["a dog"]]]), "it holds list<element: list<element: string>>, but captions are texts"),
        (pa.array([b"caf\xe9"]), "column 'caption': its bytes are not UTF-8 text"),
    ],
)
def test_parquet_columns_of_something_else_are_refused(tmp_path: Path, array: pa.Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parquet(tmp_path, array)
