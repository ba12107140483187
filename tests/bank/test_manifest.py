import json
from pathlib import Path

import pytest

from freeda_svc.bank import read_manifest
from freeda_svc.bank.manifest import FORMAT, new_manifest, write_manifest
from freeda_svc.errors import InputError


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    write_manifest(tmp_path, new_manifest("some pack", 512, 768))
    return tmp_path


def test_what_is_written_is_read(bank: Path) -> None:
    manifest = read_manifest(bank)
    assert (manifest.format, manifest.pack) == (FORMAT, "some pack")
    assert (manifest.key_dimension, manifest.vector_dimension) == (512, 768)
    assert manifest.created.endswith("+00:00")
    assert [path.name for path in bank.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": %d}' % FORMAT])
def test_a_broken_manifest_is_one_line(bank: Path, text: bytes) -> None:
    (bank / "manifest.json").write_bytes(text)
    with pytest.raises(
        InputError, match=r"manifest .* is broken .*: restore it from a backup or make a new bank"
    ) as caught:
        read_manifest(bank)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"pack": 3},
        {"pack": ""},
        {"key_dimension": "5"},
        {"key_dimension": True},
        {"vector_dimension": 0},
        {"format": 0},
    ],
)
def test_a_manifest_with_a_wrong_value_is_broken(bank: Path, change: dict[str, object]) -> None:
    content = json.loads((bank / "manifest.json").read_text())
    (bank / "manifest.json").write_text(json.dumps(content | change))
    with pytest.raises(InputError, match="is broken"):
        read_manifest(bank)


def test_a_later_format_asks_for_a_newer_version(bank: Path) -> None:
    (bank / "manifest.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(InputError, match="use a newer freeda"):
        read_manifest(bank)


@pytest.mark.parametrize(("pack", "key", "vector"), [("", 1, 1), ("p", 0, 1), ("p", 1, 0)])
def test_a_bank_for_nothing_is_refused(pack: str, key: int, vector: int) -> None:
    with pytest.raises(InputError):
        new_manifest(pack, key, vector)
