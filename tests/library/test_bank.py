import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import freeda_svc
from freeda_svc.bank import EmbeddedBanks
from freeda_svc.errors import BusyError, InputError, NotFoundError
from freeda_svc.prototypes.builder import PrototypeBuilder
from tests.library.conftest import CAPTIONS


@pytest.fixture
def bank(filled_folder: Path, tmp_path: Path) -> freeda_svc.Bank:
    shutil.copytree(filled_folder, tmp_path / "copy")
    return freeda_svc.open_bank(tmp_path / "copy", "miniature", device="cpu")


def test_a_bank_that_is_not_there_is_made_empty(tmp_path: Path) -> None:
    with freeda_svc.open_bank(tmp_path / "new", "miniature", device="cpu") as bank:
        assert bank.count() == 0
        assert "empty" in repr(bank)
        assert bank.nouns() == {}


def test_a_bank_that_is_not_there_is_not_made_where_nobody_wants_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="new"):
        freeda_svc.open_bank(tmp_path / "new", "miniature", create=False)
    with pytest.raises(NotFoundError, match="there is no bank new"):
        freeda_svc.open_bank("new", "miniature", create=False)
    assert not (tmp_path / "new").exists()


def test_a_name_is_a_bank_of_the_home(own_home: Path) -> None:
    with freeda_svc.open_bank("photos", "miniature", device="cpu") as bank:
        assert bank.name == "photos@1"
    assert (own_home / "banks" / "photos" / "1" / "manifest.json").is_file()
    with (
        freeda_svc.open_bank("photos", "miniature", device="cpu") as named,
        freeda_svc.open_bank(own_home / "banks" / "photos", "miniature", device="cpu") as of_folder,
    ):
        assert named == of_folder


def test_a_bank_that_another_process_makes_at_the_same_moment_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    create = EmbeddedBanks.create

    def made_meanwhile(banks: EmbeddedBanks, *given: Any) -> None:  # noqa: ANN401 - as they come
        create(banks, *given)
        create(banks, *given)

    monkeypatch.setattr(EmbeddedBanks, "create", made_meanwhile)
    with freeda_svc.open_bank("photos", "miniature", device="cpu") as bank:
        assert bank.count() == 0


def test_a_cell_that_opens_a_bank_can_run_twice(filled_folder: Path) -> None:
    bank = freeda_svc.open_bank(filled_folder, "miniature", device="cpu")
    first = bank
    bank = freeda_svc.open_bank(filled_folder, "miniature", device="cpu")
    assert bank == first
    assert bank.pack is first.pack
    del first
    assert bank.count() > 0
    bank.close()


def test_a_bank_that_nobody_uses_any_more_is_closed(filled_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(filled_folder, tmp_path / "copy")
    bank = freeda_svc.open_bank(tmp_path / "copy", "miniature", device="cpu")
    assert bank.count() > 0
    assert (tmp_path / "copy" / "lock").read_bytes()
    del bank
    assert not (tmp_path / "copy" / "lock").read_bytes()


def test_closing_one_of_two_leaves_the_other_open(bank: freeda_svc.Bank) -> None:
    with freeda_svc.open_bank(bank.name, "miniature", device="cpu") as other:
        bank.close()
        assert other.count() > 0
    assert other.closed


def test_a_closed_bank_says_so(bank: freeda_svc.Bank) -> None:
    bank.close()
    bank.close()
    assert repr(bank).endswith("copy, closed>")
    with pytest.raises(InputError, match="was closed; open it again with open_bank"):
        bank.count()


def test_a_bank_of_another_pack_is_refused(bank: freeda_svc.Bank, tiny_pack_folder: Path) -> None:
    with pytest.raises(InputError, match="name the bank's own pack"):
        freeda_svc.open_bank(bank.name, tiny_pack_folder, device="cpu")
    bank.close()
    assert not (Path(bank.name) / "lock").read_bytes()


def test_a_bank_counts_its_nouns_and_knows_which_it_has(filled_bank: freeda_svc.Bank) -> None:
    nouns = filled_bank.nouns()
    assert {"boat", "water", "sky", "house", "grass"} <= set(nouns)
    assert list(nouns.values()) == sorted(nouns.values(), reverse=True)
    assert filled_bank.count("boat") == filled_bank.count(" Boat ") == nouns["boat"]
    assert filled_bank.count(origin="generated") == filled_bank.count() == sum(nouns.values())
    assert "boat" in filled_bank
    assert "bicycle" not in filled_bank
    assert repr(filled_bank).endswith(f"{sum(nouns.values())} generated)>")
    assert filled_bank.stats().captions == len(CAPTIONS)


def test_search_returns_the_nearest_prototypes_best_first(filled_bank: freeda_svc.Bank) -> None:
    found = filled_bank.search("boat", 3)
    assert [row["noun"] for row in found][:2] == ["boat", "boat"]
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    assert found[0]["caption"] in CAPTIONS


def test_captions_that_are_there_already_are_not_generated_again(
    bank: freeda_svc.Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrototypeBuilder, "build", None)
    added = bank.add_captions([*CAPTIONS, "", CAPTIONS[0], "It is."], progress=False)
    assert (added.known, added.captions, added.prototypes) == (len(CAPTIONS), 0, 0)
    assert added.left_out == {"empty": 1, "repeated": 1, "captions without nouns": 1}


def test_an_interrupted_call_keeps_what_was_generated_and_goes_on_when_repeated(
    bank: freeda_svc.Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, boats = bank.count(), bank.count("boat")
    bank.forget("boat")
    build = PrototypeBuilder.build
    asked: list[str] = []

    def first_one_only(self: PrototypeBuilder, captions: list, **options: object) -> object:
        if asked:
            raise KeyboardInterrupt
        asked.extend(caption.text for caption in captions)
        return build(self, captions, **options)

    with monkeypatch.context() as patch:
        patch.setattr(PrototypeBuilder, "build", first_one_only)
        patch.setattr("freeda_svc.library.bank._CAPTIONS_AT_ONCE", 1)
        with pytest.raises(KeyboardInterrupt):
            bank.add_captions(CAPTIONS, progress=False)
    assert asked == [CAPTIONS[0]]
    assert bank.count("boat") == 1
    added = bank.add_captions(CAPTIONS, progress=False)
    assert added.nouns == {"boat": boats - 1}
    assert added.captions == boats - 1
    assert bank.count() == before


def test_captions_of_a_file_are_read_as_the_service_reads_them(
    bank: freeda_svc.Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "captions.csv"
    file.write_text(f"caption\n{CAPTIONS[0]}\n{CAPTIONS[1]}\n")
    assert bank.add_captions(str(file)).known == 2
    assert "2caption" in capsys.readouterr().err.replace(" ", "")


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ("a boat on the water", "there is no file the text 'a boat on the water'; one caption is a list of one"),
        (None, "not None"),
        (b"a boat", "not bytes of length 6"),
        ({"caption": "a boat"}, "not dict of length 1"),
        (["a boat", 3], "number 2 is 3"),
    ],
)
def test_what_is_no_list_of_captions_is_refused(filled_bank: freeda_svc.Bank, captions: object, message: str) -> None:
    with pytest.raises(
        InputError, match=r"^captions are a list of sentences, or the path of a caption file.*"
    ) as raised:
        filled_bank.add_captions(captions, progress=False)
    assert message in str(raised.value)


def test_a_picture_teaches_a_word_once(
    bank: freeda_svc.Bank, pixels: npt.NDArray[np.uint8], photo: Path, tmp_path: Path
) -> None:
    mask = np.zeros(pixels.shape[:2], dtype=np.uint8)
    mask[16:28, 18:38] = 1
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert bank.add_exemplar("Excavator  Bucket", pixels, mask == 1).nouns == {"excavator bucket": 1}
    for image, marked in (
        (Image.fromarray(pixels), Image.fromarray(mask * 255)),
        (photo, tmp_path / "mask.png"),
        (str(photo), mask),
        (photo.read_bytes(), (tmp_path / "mask.png").read_bytes()),
    ):
        assert bank.add_exemplar("excavator bucket", image, marked).prototypes == 0
    assert bank.count("excavator bucket", origin="exemplar") == 1
    assert "1 exemplar" in repr(bank)


@pytest.mark.parametrize(
    ("word", "mask", "message"),
    [
        (None, np.ones((40, 56), dtype=bool), "the word is a text, not None"),
        ("bucket", None, "expected a mask"),
        ("bucket", np.ones((4, 5), dtype=bool), "the mask is 5 x 4 pixels, but its image 56 x 40"),
        ("bucket", np.zeros((40, 56), dtype=bool), "the mask is empty"),
        ("bucket", np.full((40, 56), 0.5), "must hold 0 and 1 only"),
    ],
)
def test_what_is_no_exemplar_is_refused(
    filled_bank: freeda_svc.Bank, pixels: npt.NDArray[np.uint8], word: str, mask: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        filled_bank.add_exemplar(word, pixels, mask)


def test_an_exemplar_that_gives_no_prototype_says_why(filled_bank: freeda_svc.Bank) -> None:
    flat = np.full((40, 56, 3), 90, dtype=np.uint8)
    with pytest.raises(InputError, match="gives no prototype: exemplars of one flat colour"):
        filled_bank.add_exemplar("wall", flat, np.ones((40, 56), dtype=bool))


def test_a_word_is_forgotten_once(bank: freeda_svc.Bank) -> None:
    count = bank.count("boat")
    assert bank.forget("boat") == count
    assert bank.forget("boat") == 0
    assert "boat" not in bank


def test_curation_marks_and_takes_back(bank: freeda_svc.Bank) -> None:
    assert bank.curate(dry_run=True).left_alone == bank.count()  # too few of each noun to tell
    assert bank.uncurate() == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None,), "a bank is opened by its name or folder, not by None"),
        ((["photos"],), "not by list of length 1"),
        (("Photos",), "'Photos' is no name of a bank.*a folder is written with a slash, such as ./Photos"),
        (("./photos", 5), "a pack is given by its name or folder, or as an open pack, not by 5"),
    ],
)
def test_what_opens_no_bank_is_refused(given: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        freeda_svc.open_bank(*given)


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^precision is 'int8', but must be one of auto, "):
        freeda_svc.open_bank(tmp_path / "new", "miniature", precision="int8")


def test_a_bank_of_another_process_is_busy(filled_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(filled_folder, tmp_path / "copy")
    script = (
        "import freeda_svc, sys\n"
        f"bank = freeda_svc.open_bank({str(tmp_path / 'copy')!r}, 'miniature', device='cpu')\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(BusyError, match=f"in use by process {other.pid}"):
            freeda_svc.open_bank(tmp_path / "copy", "miniature", device="cpu")
        other.communicate()
