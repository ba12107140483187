"""`freeda segment --regions`: a way by its name, or a folder with a file for each image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.jobs import job_summary, list_jobs, submitted_images
from freeda_svc.settings import load_settings
from tests.cli.brightness import LEVELS, Worker

Freeda = Callable[..., Any]
COMMAND = ("segment", "photos", "-r", "-c", "night, day", "--out", "out", "--quiet", "--json", "--resume")


def write_map(name: str, height: int = 4) -> None:
    path = Path("maps") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, 6), 3, dtype=np.uint8)).save(path)


@pytest.fixture
def maps(photos: Path) -> Path:
    """A file of regions for each of the photos."""
    for name in LEVELS:
        with Image.open(photos / name) as image:
            write_map(name, image.height)
    return Path("maps")


def test_a_folder_has_the_regions_of_each_image_under_its_name(
    freeda: Freeda, worker: Worker, maps: Path, home: Path
) -> None:
    first = freeda(*COMMAND, "--regions", str(maps))
    assert (first.code, first.json["files"]) == (0, 9)
    settings = load_settings(home=home)
    assert all(image.regions for image in submitted_images(settings, first.json["job"]))
    worker.done.clear()
    again = freeda(*COMMAND, "--regions", str(maps))
    assert (again.json["job"], worker.done) == (None, [])
    Image.fromarray(np.full((4, 6), 9, dtype=np.uint8)).save(maps / "b.png")
    assert freeda(*COMMAND, "--regions", str(maps)).code == 0
    assert worker.done == ["b.png"]
    worker.done.clear()
    assert freeda(*COMMAND).code == 0  # without regions all is done again
    assert sorted(worker.done) == sorted(LEVELS)


def test_a_word_is_the_way(freeda: Freeda, worker: Worker, photos: Path, home: Path) -> None:
    made = freeda(*COMMAND, "--regions", "superpixels", "--set", "region_points_per_side=8")
    assert made.code == 0
    job = job_summary(load_settings(home=home), made.json["job"])
    assert job.parameters["overrides"] == {"regions": "superpixels", "region_points_per_side": 8}


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--regions", "nowhere"), 2, "there is no folder nowhere; give superpixels, masks or a folder"),
        (("--regions", "masks", "--set", "regions=masks"), 2, "the parameter regions is given twice"),
        (("--set", "regions=circles"), 2, "regions is 'circles', but must be one of superpixels, masks"),
        (("--regions", "photos/deep"), 1, "b.png has no regions in photos/deep: expected b.png or .json there"),
    ],
)
def test_what_is_no_way_and_no_folder_of_regions_is_refused(
    freeda: Freeda, home: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    refused = freeda(*COMMAND, *options)
    assert refused.code == code
    assert message in refused.err
    assert list_jobs(load_settings(home=home)) == []


def test_regions_of_another_size_are_refused_in_one_line(freeda: Freeda, maps: Path, home: Path) -> None:
    write_map("b.png", height=7)
    refused = freeda(*COMMAND, "--regions", str(maps))
    assert refused.code == 1
    assert "maps/b.png are 6 x 7 pixels large, but the image 6 x 4" in refused.err
    assert list_jobs(load_settings(home=home)) == []
