"""`freeda segment --auto` around a worker that proposes and segments at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from freeda_svc.cli import worker_watch
from freeda_svc.jobs import list_jobs
from freeda_svc.settings import Settings, load_settings
from tests.cli.brightness import BLACK, Worker, files_in, labels_of

Freeda = Callable[..., Any]
COMMAND = ("segment", "photos", "-r", "--auto", "--out", "out", "--quiet", "--json")
LIST = ["night", "day", "star", "cloud"]
"""Of a.png and deep/a.png, which are dark, and b.png: by the area over all."""


def names_of(image: dict[str, Any]) -> list[str]:
    return [category["name"] for category in image["categories"]]


def test_masks_of_a_folder_mean_the_same_in_each_file(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda(*COMMAND)
    assert (ran.code, ran.err) == (0, "proposed for 3 images together: night, day, star, cloud\n")
    assert [names_of(image) for image in ran.json["images"]] == [LIST] * 3
    assert (worker.proposed, worker.done) == (["a.png", "b.png", "deep/a.png"],) * 2
    for stem in ("a", "b", "deep/a"):
        summary = json.loads(Path(f"out/{stem}.json").read_text())
        assert [category["name"] for category in summary["categories"]] == LIST
    assert [entry["noun"] for entry in ran.json["images"][1]["proposals"]["categories"]] == ["day", "cloud"]


def test_they_are_one_data_set(freeda: Freeda, worker: Worker, photos: Path) -> None:
    assert freeda(*COMMAND, "--format", "mask,coco,label-studio").code == 0
    data_set = json.loads(Path("out/coco.json").read_text())
    assert [(category["name"], category["mask_value"]) for category in data_set["categories"]] == [
        ("night", 0), ("day", 1), ("star", 2), ("cloud", 3),
    ]  # fmt: skip
    files = {image["id"]: image["file_name"] for image in data_set["images"]}
    values = {category["id"]: category["mask_value"] for category in data_set["categories"]}
    found = {files[entry["image_id"]]: {values[entry["category_id"]]} for entry in data_set["annotations"]}
    assert found == {name: labels_of(Path("out") / f"{name[:-4]}.mask.png") for name in found}
    assert Path("out/label-studio.xml").read_text().count("<Label ") == 4


def test_a_list_for_each_image_is_made_when_asked_for(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda(*COMMAND, "--per-image")
    assert [names_of(image) for image in ran.json["images"]] == [["night", "star"], ["day", "cloud"], ["night", "star"]]
    assert (ran.err, worker.proposed) == ("", [])
    refused = freeda(*COMMAND, "--per-image", "--format", "coco")
    assert (refused.code, "the same categories for all images, not with --per-image" in refused.err) == (2, True)
    assert freeda("segment", "photos", "-c", "day", "--per-image").err.startswith("Error: --per-image goes with --auto")


def test_one_image_alone_is_looked_at_once(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos / "a.png", "--auto", "--out", "out", "--quiet", "--format", "mask,coco")
    assert (ran.code, ran.err, worker.proposed) == (0, "", [])
    assert "night 100% (confidence 0.75)" in ran.out
    assert [category["name"] for category in json.loads(Path("out/coco.json").read_text())["categories"]] == LIST[::2]


def test_the_confidence_shown_is_that_of_the_image(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos, "-r", "--auto", "--wait", "--quiet")
    dark, bright, _ = ran.out.splitlines()[1:]
    assert dark.endswith("night 100% (confidence 0.75)")  # label 0 of 4
    assert bright.endswith("cloud 100% (confidence 0.75)")


def test_without_waiting_the_id_is_that_of_the_segmentation(
    freeda: Freeda, worker: Worker, photos: Path, home: Path
) -> None:
    ran = freeda("segment", photos, "-r", "--auto")
    jobs = list_jobs(load_settings(home=home))
    assert ran.out == f"{jobs[0].id}\n"
    assert [category["name"] for category in jobs[0].parameters["categories"]] == LIST
    assert jobs[1].parameters["only_propose"] is True
    refused = freeda("jobs", "export", jobs[1].id, "--out", "again")
    assert (refused.code, "only proposed categories" in refused.err) == (1, True)


def test_the_key_of_a_request_is_also_that_of_its_proposals(
    freeda: Freeda, worker: Worker, photos: Path, home: Path
) -> None:
    first, again = (freeda("segment", photos, "-r", "--auto", "--idempotency-key", "k" * 200) for _ in range(2))
    assert (first.code, first.out) == (again.code, again.out)
    assert len(list_jobs(load_settings(home=home))) == 2


def test_an_image_without_proposals_is_reported_and_the_rest_goes_on(
    freeda: Freeda, worker: Worker, photos: Path
) -> None:
    Image.new("L", (6, 4), 0).save(photos / "black.png")
    ran = freeda(*COMMAND, "--format", "mask")
    assert (ran.code, files_in(Path("out"))) == (3, ["a.mask.png", "b.mask.png", "deep/a.mask.png"])
    assert f"item 3 (black.png): {BLACK}" in ran.err
    assert ran.json["errors"] == [f"item 3 (black.png): {BLACK}"]
    for name in ("a.png", "b.png", "deep/a.png"):
        Image.new("L", (6, 4), 0).save(photos / name)
    nothing = freeda(*COMMAND, "--format", "mask")
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.startswith(f"Error: no category could be proposed: item 1 (a.png): {BLACK} (and 3 more)")
    assert [line.split()[0] for line in nothing.err.splitlines()] == ["Error:", "Job"]


class TestResuming:
    AGAIN = (*COMMAND, "--resume")

    @pytest.fixture(autouse=True)
    def first(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        assert freeda(*self.AGAIN).json["files"] == 9
        worker.done.clear()
        worker.proposed.clear()

    def test_nothing_is_proposed_or_segmented_again(self, freeda: Freeda, worker: Worker) -> None:
        ran = freeda(*self.AGAIN)
        assert (len(ran.json["skipped"]), worker.proposed, worker.done) == (3, [], [])

    def test_a_new_image_of_known_categories_leaves_the_others_alone(
        self, freeda: Freeda, worker: Worker, photos: Path
    ) -> None:
        for number in range(5):  # by area, day would come first now
            Image.new("L", (6, 4), 201 + number).save(photos / f"new-{number}.png")
        ran = freeda(*self.AGAIN)
        assert len(ran.json["skipped"]) == 3
        assert worker.done == worker.proposed == [f"new-{number}.png" for number in range(5)]
        assert names_of(ran.json["images"][0]) == LIST

    def test_a_new_category_comes_last_and_all_are_done_again(
        self, freeda: Freeda, worker: Worker, photos: Path
    ) -> None:
        Image.new("L", (6, 4), 250).save(photos / "noon.png")
        ran = freeda(*self.AGAIN)
        assert worker.proposed == ["noon.png"]
        assert (len(worker.done), names_of(ran.json["images"][0])) == (4, [*LIST, "sun"])
        assert "made for other categories, parameters, models or another bank: 3 images; done again" in ran.err

    def test_proposals_that_are_older_than_the_bank_are_made_again(self, freeda: Freeda, worker: Worker) -> None:
        worker.bank = {"additions": 2, "removals": "0"}
        assert len(freeda(*self.AGAIN, "--keep-older").json["skipped"]) == 3
        assert (worker.proposed, worker.done) == ([], [])
        assert len(freeda(*self.AGAIN).json["older"]["done_again"]) == 3
        assert len(worker.proposed) == len(worker.done) == 3

    def test_proposals_that_go_on_are_joined(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        worker.resting = True
        Image.new("L", (6, 4), 201).save(photos / "c.png")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker_watch, "missing_worker", _interrupt)  # asked when it begins to wait
            interrupted = freeda(*self.AGAIN)
        assert interrupted.code == 130
        assert "goes on proposing categories: the same command with --resume takes its proposals" in interrupted.err
        worker.resting = False
        assert freeda(*self.AGAIN).code == 0
        assert worker.proposed == worker.done == ["c.png"]


def _interrupt(_settings: Settings) -> None:
    raise KeyboardInterrupt
