import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from freeda_svc.bank import PrototypeStore
from freeda_svc.batches import ImageOutcome, ResultsManifest, find_images, segment_images
from freeda_svc.batches.manifest import NAME
from freeda_svc.batches.segmenting import KEPT_RESULTS
from freeda_svc.errors import InputError
from freeda_svc.outputs import read_labels
from freeda_svc.packs import Pack
from freeda_svc.segmentation import Segmenter
from tests.segmentation.toy_bank import NOUNS, fill_bank, make_prototypes, photo

NAMES = ["a.png", "b.png", "deep/c.png"]
Run = Callable[..., list[ImageOutcome]]


@pytest.fixture
def store(pack: Pack, tmp_path: Path) -> Iterator[PrototypeStore]:
    store = fill_bank(pack, tmp_path / "bank")
    yield store
    store.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(photo(), 20 * number, axis=1)).save(folder / name)
    return folder


@pytest.fixture
def run(pack: Pack, store: PrototypeStore, photos: Path, tmp_path: Path, one_thread: None) -> Run:
    """Segments all photos into `masks`, with a segmenter of its own for each call."""

    def segment(categories: tuple[str, ...] = NOUNS, **options: Any) -> list[ImageOutcome]:  # noqa: ANN401
        found = find_images([photos], recursive=True)
        segmenter = Segmenter(pack, store, bank="toys@1")
        return list(segment_images(segmenter, found.images, categories, out=tmp_path / "masks", **options))

    return segment


def done_before(outcomes: list[ImageOutcome]) -> list[str]:
    return [outcome.image.name for outcome in outcomes if outcome.was_done]


def test_each_image_has_the_files_and_the_result_of_the_segmenter(
    run: Run, pack: Pack, store: PrototypeStore, photos: Path, tmp_path: Path
) -> None:
    outcomes = run(formats=["mask", "summary"])
    assert [outcome.image.name for outcome in outcomes] == NAMES
    assert [set(outcome.files) for outcome in outcomes] == [{"mask", "summary"}] * 3
    expected = Segmenter(pack, store).segment(photos / "deep/c.png", NOUNS)
    assert outcomes[2].segmentation is not None
    np.testing.assert_array_equal(outcomes[2].segmentation.labels, expected.labels)
    assert outcomes[2].loaded is not None
    np.testing.assert_array_equal(outcomes[2].loaded.pixels, np.asarray(Image.open(photos / "deep/c.png")))
    np.testing.assert_array_equal(read_labels(tmp_path / "masks/deep/c.mask.png"), expected.labels)
    assert json.loads((tmp_path / "masks/a.json").read_text())["bank"] == "toys@1"
    assert not list((tmp_path / "masks" / KEPT_RESULTS).glob("*/"))  # only files for all images need them


def test_without_a_folder_nothing_is_written(pack: Pack, store: PrototypeStore, photos: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    images = find_images([photos]).images
    counts: list[tuple[int, int]] = []
    outcomes = list(segment_images(Segmenter(pack, store), images, NOUNS, progress=lambda *count: counts.append(count)))
    assert [outcome.segmentation is not None for outcome in outcomes] == [True, True]
    assert counts == [(0, 2), (1, 2), (2, 2)]
    assert [path for path in sorted(tmp_path.rglob("*")) if path.parent.name != "bank"] == [
        path for path in before if path.parent.name != "bank"
    ]


def test_what_is_done_is_skipped_and_the_rest_segmented(run: Run, photos: Path, tmp_path: Path) -> None:
    run()
    masks = {name: (tmp_path / "masks" / name).stat().st_mtime_ns for name in ("a.mask.png", "b.mask.png")}
    again = run()
    assert done_before(again) == NAMES
    assert again[0].segmentation is None
    assert again[0].files["mask"] == tmp_path / "masks/a.mask.png"
    Image.fromarray(photo()[::-1]).save(photos / "b.png")
    Image.fromarray(photo()[:, ::-1]).save(photos / "e.png")
    (tmp_path / "masks/deep/c.overlay.png").unlink()
    assert done_before(run()) == ["a.png"]
    assert (tmp_path / "masks/a.mask.png").stat().st_mtime_ns == masks["a.mask.png"]
    assert done_before(run(resume=False)) == []


@pytest.mark.parametrize("change", ["categories", "parameters", "colours", "bank"])
def test_another_request_is_segmented_again_and_said(run: Run, pack: Pack, change: str) -> None:
    run()
    changes: dict[str, dict[str, Any]] = {
        "categories": {"categories": ("ball", "sky")},
        "parameters": {"parameters": pack.parameters.segmentation.replace(beta=0.5)},
        "colours": {"colours": [(1, 2, 3)]},
        "bank": {"bank_created": "2026-01-01T00:00:00+00:00"},
    }
    again = run(**changes[change])
    assert [(outcome.was_done, outcome.was_otherwise) for outcome in again] == [(False, True)] * 3
    assert done_before(run(**changes[change])) == NAMES


def test_a_bank_that_has_grown_makes_files_older(run: Run, pack: Pack, store: PrototypeStore) -> None:
    run()
    store.add(make_prototypes(pack, NOUNS, seed=9))
    kept = run(keep_older=True)
    assert [(outcome.was_done, outcome.was_older) for outcome in kept] == [(True, True)] * 3
    again = run()
    assert [(outcome.was_done, outcome.was_older) for outcome in again] == [(False, True)] * 3
    assert [(outcome.was_done, outcome.was_older) for outcome in run()] == [(True, False)] * 3


def test_a_loop_that_is_left_goes_on_with_the_next_call(
    run: Run, pack: Pack, store: PrototypeStore, photos: Path, tmp_path: Path
) -> None:
    images = find_images([photos], recursive=True).images
    left = segment_images(Segmenter(pack, store, bank="toys@1"), images, NOUNS, out=tmp_path / "masks")
    assert next(left).image.name == "a.png"
    left.close()
    assert (tmp_path / "masks/a.mask.png").is_file()
    assert done_before(run()) == ["a.png"]


def test_an_image_that_cannot_be_read_has_an_error_and_the_others_go_on(
    run: Run, pack: Pack, store: PrototypeStore, photos: Path, tmp_path: Path
) -> None:
    images = find_images([photos], recursive=True).images
    for name in ("a.png", "deep/c.png"):
        (photos / name).write_bytes((photos / name).read_bytes()[:2000])  # its header is whole
    outcomes = list(
        segment_images(Segmenter(pack, store, bank="toys@1"), images, NOUNS, out=tmp_path / "masks", formats=["coco"])
    )
    assert [outcome.image.name for outcome in outcomes] == NAMES
    assert [bool(outcome.error) for outcome in outcomes] == [True, False, True]
    assert str(photos / "a.png") in outcomes[0].error
    assert [entry["file_name"] for entry in COCO(tmp_path / "masks/coco.json").dataset["images"]] == ["b.png"]


def test_files_for_all_images_hold_those_done_before(run: Run, photos: Path, tmp_path: Path) -> None:
    coco, formats = tmp_path / "masks/coco.json", ["mask", "coco"]
    run(formats=formats)
    before = coco.read_bytes()
    coco.unlink()
    assert done_before(run(formats=formats)) == NAMES
    assert coco.read_bytes() == before
    Image.fromarray(photo()[:, ::-1]).save(photos / "e.png")
    assert done_before(run(formats=formats)) == NAMES
    assert len(COCO(coco).dataset["images"]) == 4
    run(formats=["coco"], categories=("ball", "sky"))
    kept = [path for path in (tmp_path / "masks" / KEPT_RESULTS).iterdir() if path.is_dir()]
    assert len(kept) == 4  # those of the other request are gone
    for path in kept[0].iterdir():
        path.unlink()
    assert len(done_before(run(formats=["coco"], categories=("ball", "sky")))) == 3


def test_evidence_is_written_where_its_format_is_asked_for(run: Run, tmp_path: Path) -> None:
    run(formats=["evidence", "evidence-page"])
    evidence = json.loads((tmp_path / "masks/a.evidence.json").read_text())
    assert evidence["names"] == list(NOUNS)
    assert (tmp_path / "masks/a.evidence.html").is_file()


def test_a_wrong_request_is_reported_in_one_line_before_any_work(run: Run, tmp_path: Path) -> None:
    for options, message in [
        ({"categories": ()}, "categor"),
        ({"formats": ["gif"]}, "there is no format 'gif'"),
        ({"out": tmp_path / "photos/a.png"}, "cannot be written"),
    ]:
        with pytest.raises((InputError, TypeError), match=f"{message}|multiple values"):
            run(**options)
    assert not (tmp_path / "masks").exists()


INTERRUPTED = """
import sys
from pathlib import Path
from freeda_svc.batches import find_images, segment_images
from freeda_svc.packs import load_pack
from freeda_svc.segmentation import Segmenter
from tests.segmentation.toy_bank import NOUNS, open_bank

pack = load_pack(sys.argv[1])
segmenter = Segmenter(pack, open_bank(pack, Path("bank")), bank="toys@1")
images = find_images([Path("photos")], recursive=True).images
for outcome in segment_images(segmenter, images, NOUNS, out=Path("masks"), formats=["mask"]):
    print(outcome.image.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_ended_leaves_what_is_done(
    run: Run, store: PrototypeStore, tiny_pack_folder: Path, tmp_path: Path, how: signal.Signals
) -> None:
    store.close()
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tiny_pack_folder)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "a.png\n"
    process.send_signal(how)
    process.communicate()
    assert process.returncode != 0
    assert list(ResultsManifest(tmp_path / "masks").images) == ["a"]
    (tmp_path / "masks" / NAME).read_text()
