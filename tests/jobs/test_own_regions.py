"""Files of regions beside submitted images: checked, kept with the item, compared by --resume, pruned with the job."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from freeda_svc.artifacts import open_artifacts
from freeda_svc.batches import InputImage, digest_of_image
from freeda_svc.errors import InputError
from freeda_svc.images import load_regions
from freeda_svc.jobs import list_jobs, submit_segment, submitted_images
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.pruning import unused_inputs
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

LABELS = np.ones((8, 8), dtype=np.uint8)
LABELS[4:] = 2


@pytest.fixture
def image(image_file: Callable[..., Path], tmp_path: Path) -> InputImage:
    """An image of 8 x 8 pixels with two regions."""
    regions = tmp_path / "regions" / "a.png"
    regions.parent.mkdir()
    Image.fromarray(LABELS).save(regions)
    return InputImage(image_file("a.png"), "a.png", "a", regions=regions)


def submit(settings: Settings, outbox: "Outbox", *images: InputImage, **more: object) -> str:
    return submit_segment(settings, images, ["cat"], dispatcher=outbox, **more)  # type: ignore[arg-type]


def test_regions_are_kept_with_the_item_and_used_as_long_as_the_job_is(
    settings: Settings, outbox: "Outbox", image: InputImage
) -> None:
    plain = replace(image, stem="plain", name="plain.png", regions=None)
    job = submit(settings, outbox, image, plain)
    with reading(settings) as session:
        rows = session.scalars(select(WorkItem).where(WorkItem.job_id == job).order_by(WorkItem.number))
        kept, without = (dict(item.input) for item in rows)
    assert "regions" not in without
    stored = open_artifacts(settings).local(kept["regions"])
    assert np.array_equal(load_regions(stored, (8, 8)), LABELS - 1)
    assert image.regions is not None
    image.regions.unlink()  # the copy is the installation's own
    assert stored.is_file()
    names = {file.name for file in unused_inputs(settings, {}, without=set(), only_named=False)}
    assert kept["regions"] not in names


def test_an_image_with_other_regions_is_made_from_something_else(
    settings: Settings, outbox: "Outbox", image: InputImage
) -> None:
    plain = replace(image, stem="plain", name="plain.png", regions=None)
    of_job = submitted_images(settings, submit(settings, outbox, image, plain))
    assert [one.made_from for one in of_job] == [digest_of_image(image), digest_of_image(plain)]
    assert of_job[0].content == of_job[1].content == of_job[1].made_from
    assert image.regions is not None
    Image.fromarray(LABELS[::-1].copy()).save(image.regions)
    assert digest_of_image(image) != of_job[0].made_from


def test_a_key_stands_for_the_same_regions(settings: Settings, outbox: "Outbox", image: InputImage) -> None:
    job = submit(settings, outbox, image, idempotency_key="mine")
    assert submit(settings, outbox, image, idempotency_key="mine") == job
    with pytest.raises(InputError, match=r"mine"):
        submit(settings, outbox, replace(image, regions=None), idempotency_key="mine")


def test_regions_that_do_not_fit_are_refused_before_anything_is_accepted(
    settings: Settings, outbox: "Outbox", image: InputImage
) -> None:
    assert image.regions is not None
    Image.fromarray(LABELS[1:]).save(image.regions)
    with pytest.raises(InputError, match=r"a\.png are 8 x 7 pixels large, but the image 8 x 8 .*and 1 more of 2 files"):
        submit(settings, outbox, image, replace(image, stem="b", name="b.png"))
    image.regions.write_text('[{"size": [8, 8], "counts": [0, 40, 24]}, {"size": [8, 8], "counts": [30, 34]}]')
    with pytest.raises(InputError, match=r"masks 1 and 2 overlap in 10 pixels"):
        submit(settings, outbox, image)
    assert list_jobs(settings) == []
    assert submit(settings, outbox, image, overrides={"region_overlaps": "smallest"})
