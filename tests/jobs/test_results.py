import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import InputImage, ItemState, export_results, submit_ingest, submit_segment
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.results import continue_colours, item_states, pictures_of, result_folder, submitted_images
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.outputs import FORMATS, files_for_all, palette, write_mask
from freeda_svc.outputs.job_colours import COLOURS_FILE
from freeda_svc.outputs.scores import keep_scores, write_score_arrays
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

CATEGORIES = [{"name": "cat"}, {"name": "mat"}]


def keep(folder: Path, label: int) -> None:
    """Put there what a worker keeps of an image of 8 x 8 pixels of one label."""
    folder.mkdir(parents=True)
    write_mask(folder / "mask.png", np.full((8, 8), label), palette(2))
    keep_scores(folder / "scores.png", np.full((8, 8), 0.5, dtype=np.float32))
    write_score_arrays(
        folder / "regions.npz", {"regions": np.zeros((8, 8), dtype=np.int32), "region_scores": np.eye(2)}
    )
    scored = [{"name": entry["name"], "score": 0.5, "absent": False} for entry in CATEGORIES]
    (folder / "summary.json").write_text(json.dumps({"categories": scored, "pack": "p", "label": label}))


def do(settings: Settings, job_id: str, number: int) -> None:
    keep(result_folder(settings, job_id, number), label=number % 2)
    with writing(settings) as session:
        session.execute(
            update(WorkItem).where(WorkItem.job_id == job_id, WorkItem.number == number).values(state=ItemState.DONE)
        )


@pytest.fixture
def job_id(settings: Settings, outbox: "Outbox", image_file: Callable[..., Path]) -> str:
    """Three images, the first and the last segmented."""
    images = [image_file("cat.png"), image_file("other/cat.bmp", 1), image_file("dog.png", 2)]
    job_id = submit_segment(settings, images, CATEGORIES, dispatcher=outbox)
    for number in (1, 3):
        do(settings, job_id, number)
    return job_id


def test_done_images_are_written_under_their_names(settings: Settings, job_id: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported = export_results(settings, job_id[:8], out)
    assert [outcome.image.name for outcome in exported] == ["cat.png", "dog.png"]
    assert exported[0].files == {
        "mask": out / "cat.mask.png",
        "overlay": out / "cat.overlay.png",
        "summary": out / "cat.json",
    }
    assert (out / "cat.mask.png").read_bytes() == (result_folder(settings, job_id, 1) / "mask.png").read_bytes()
    assert json.loads((out / "dog.json").read_text())["label"] == 1
    with Image.open(out / "dog.overlay.png") as overlay:
        assert overlay.width > 512
    assert len(list(out.iterdir())) == 6


def test_every_format_is_made_of_what_is_kept(settings: Settings, job_id: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    formats = [name for name in FORMATS if not name.startswith("evidence")]  # which is kept only when asked for
    exported = export_results(settings, job_id, out, formats, image_prefix="http://host/")
    made = {path for image in exported for path in image.files.values()} | {
        out / name for name in files_for_all(FORMATS)
    }
    assert made <= {path for path in out.rglob("*") if path.is_file()}
    assert {path.parent for path in made} == {out, out / "yolo", out / "voc"}
    data_set = json.loads((out / "coco.json").read_text())
    assert [image["file_name"] for image in data_set["images"]] == ["cat.png", "dog.png"]
    assert [entry["category_id"] for entry in data_set["annotations"]] == [2, 2]
    assert json.loads((out / "coco.results.json").read_text())[1]["image_id"] == 2
    tasks = json.loads((out / "label-studio.json").read_text())
    assert [task["data"]["image"] for task in tasks] == ["http://host/cat.png", "http://host/dog.png"]
    with np.load(out / "dog.scores.npz") as arrays:
        assert sorted(arrays.files) == ["categories", "labels", "region_scores", "regions", "scores"]
        assert arrays["scores"] == pytest.approx(0.5, abs=2e-5)
        assert arrays["categories"].tolist() == ["cat", "mat"]
    assert json.loads((out / "dog.geojson").read_text())["features"][0]["properties"]["category"] == "mat"


def test_names_do_not_depend_on_what_is_done(settings: Settings, job_id: str, tmp_path: Path) -> None:
    do(settings, job_id, 2)
    for _ in range(2):
        exported = export_results(settings, job_id, tmp_path / "out")
    names = [image.files["mask"].name for image in exported]
    assert names == ["cat.mask.png", "cat-2.mask.png", "dog.mask.png"]


def test_images_keep_the_folders_of_their_stems(
    settings: Settings, outbox: "Outbox", image_file: Callable[..., Path], tmp_path: Path
) -> None:
    images = [InputImage(image_file(f"{name}/x.png"), f"{name}/x.png", f"{name}/x") for name in ("a", "b")]
    job_id = submit_segment(settings, images, CATEGORIES, dispatcher=outbox)
    for number in (1, 2):
        do(settings, job_id, number)
    export_results(settings, job_id, tmp_path / "out", ["mask"])
    assert sorted((tmp_path / "out").rglob("*.png")) == [tmp_path / "out" / name / "x.mask.png" for name in ("a", "b")]


def test_a_submitted_image_is_known_by_its_content(settings: Settings, job_id: str) -> None:
    images = submitted_images(settings, job_id[:6])
    assert [(image.job, image.number, image.state) for image in images] == [
        (job_id, 1, "done"), (job_id, 2, "queued"), (job_id, 3, "done")
    ]  # fmt: skip
    assert all((settings.artifacts_folder / image.kept).is_file() for image in images)
    assert item_states(settings, job_id) == {1: "done", 2: "queued", 3: "done"}


@pytest.mark.parametrize("lost", ["mask.png", "summary.json"])
def test_lost_results_are_one_line(settings: Settings, job_id: str, tmp_path: Path, lost: str) -> None:
    (result_folder(settings, job_id, 3) / lost).unlink()
    whole, gone = export_results(settings, job_id, tmp_path / "out", ["mask", "summary", "coco", "index"])
    assert (whole.error, len(whole.files)) == ("", 2)
    assert "is gone from the artifacts; submit the image again" in gone.error
    assert gone.files == {}
    data_set = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert [image["file_name"] for image in data_set["images"]] == ["cat.png"]


def test_an_image_whose_name_is_too_long_fails_alone(
    settings: Settings, outbox: "Outbox", image_file: Callable[..., Path], tmp_path: Path
) -> None:
    images = [InputImage(image_file("x.png"), "x.png", "n" * 250), InputImage(image_file("y.png", 1), "y.png", "y")]
    job_id = submit_segment(settings, images, CATEGORIES, dispatcher=outbox)
    for number in (1, 2):
        do(settings, job_id, number)
    formats = ["mask", "overlay", "coco", "yolo", "index"]
    long, other = export_results(settings, job_id, tmp_path / "out", formats)
    assert "the name is too long for this file system" in long.error
    assert set(other.files) == {"mask", "overlay"}
    data_set = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert [image["file_name"] for image in data_set["images"]] == ["x.png", "y.png"]
    assert len(list((tmp_path / "out/yolo/labels").iterdir())) == 2


def test_a_later_job_continues_the_colours_of_an_earlier_one(
    settings: Settings, outbox: "Outbox", image_file: Callable[..., Path], job_id: str
) -> None:
    later = submit_segment(settings, [image_file("new.png", 3)], CATEGORIES, dispatcher=outbox)
    folders = {job: result_folder(settings, job, 1).parent for job in (job_id, later)}
    continue_colours(settings, later, ["gone", job_id])
    assert not (folders[later] / COLOURS_FILE).exists()
    (folders[job_id] / COLOURS_FILE).write_text('["cat", 1, 2, 3]\n')
    continue_colours(settings, later, [job_id, "gone"])
    [picture] = pictures_of(settings, submitted_images(settings, later))
    keep(picture.result.folder, label=0)
    assert picture.shown_colours(np.zeros((1, 1), dtype=np.int32))[0].tolist() == [1, 2, 3]
    (folders[job_id] / COLOURS_FILE).write_text('["cat", 4, 5, 6]\n')
    continue_colours(settings, later, [job_id])
    assert picture.noted_colours()[0].tolist() == [1, 2, 3]


def test_a_folder_that_cannot_be_written_is_reported_in_one_line(
    settings: Settings, job_id: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot be written"):
        export_results(settings, job_id, tmp_path / "file" / "out")


def test_a_format_that_there_is_not_is_refused(settings: Settings, job_id: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no format 'gif'; the formats are mask, overlay"):
        export_results(settings, job_id, tmp_path / "out", ["mask", "gif"])
    assert not (tmp_path / "out").exists()


def test_an_ingest_job_has_nothing_to_export(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]], tmp_path: Path
) -> None:
    job_id = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    with pytest.raises(NotFoundError, match="only segmentation jobs"):
        export_results(settings, job_id, tmp_path)
