import json
import os
from pathlib import Path

import pytest

from freeda_svc.captions import make_caption, read_captions
from freeda_svc.errors import InputError

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
    path = write(tmp_path, "a.txt", "A dog.\r\n\n  a  boat\ton water \nA dog.\nune île")
    assert texts(path) == ["A dog.", "a boat on water", "une île"]


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"caf\xe9\n", "is not UTF-8 text"),
        ("a.json", "{}".encode("utf-16"), "is not UTF-8 text"),
        ("a.jsonl", b'{"text": "caf\xe9"}', "is not UTF-8 text"),
        ("a.txt", b"\0\0\0", "line 1: not a text file"),
        ("a.txt", "", "has no captions"),
        ("a.txt", " \n\t\n", "has no captions"),
        ("a.jsonl", "\n", "has no captions"),
        ("a.json", coco(), "has no captions"),
        ("a.json", coco(" "), "has no captions"),
        ("a.json", "", "not valid JSON"),
        ("a.json", coco("a dog")[:-5], "not valid JSON, perhaps cut off"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.json", "[1]", "expected COCO captions, an object with a list 'annotations'"),
        ("a.json", '{"annotations": {}}', "expected COCO captions"),
        ("a.json", coco(3), "annotation 0: expected an object with a text in 'caption'"),
        ("a.json", '{"annotations": [3]}', "annotation 0: expected an object"),
        ("a.json", '{"annotations": [{"bbox": []}]}', "annotation 0: expected an object"),
        ("a.json", coco("a \ud800 dog"), "annotation 0: the text has half a character"),
        ("a.jsonl", '["a dog"]', "line 1: expected an object with a text"),
        ("a.jsonl", '{"caption": null}', "line 1: expected an object with a text"),
        ("a.csv", "a dog", "is of no format that can be read"),
        ("captions", "a dog", "is of no format that can be read"),
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


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no caption file .*missing\.txt"):
        texts(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="is a directory"):
        texts(tmp_path)


def test_real_captions() -> None:
    path = SHARED / "data" / "captions_val2017.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    captions = list(read_captions(path))
    assert 24_000 < len(captions) < 25_015
    assert len({caption.id for caption in captions}) == len(captions)
    assert all(caption.text == " ".join(caption.text.split()) for caption in captions)
