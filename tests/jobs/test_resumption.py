"""Folders of results are the same for jobs and for the library."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.bank import BankName
from freeda_svc.batches import BankAge, ResultsFolder, ResultsManifest, find_images, segment_images
from freeda_svc.cli.backends.local import LocalBackend
from freeda_svc.jobs.banks import bank_created, open_banks
from freeda_svc.jobs.resumption import plan_resumption
from freeda_svc.jobs.segmentation_requests import segmentation_request
from freeda_svc.packs import load_pack
from freeda_svc.segmentation import Segmenter, background_category
from freeda_svc.settings import load_settings
from tests.segmentation.toy_bank import NOUNS, make_prototypes

COLOURS = [(10, 20, 30), (40, 50, 60)]


@pytest.mark.parametrize("colours", [[], COLOURS])
def test_what_the_library_has_written_is_done_for_a_job_of_the_same_request(
    tmp_path: Path, tiny_pack_folder: Path, one_thread: None, colours: list[tuple[int, int, int]]
) -> None:
    settings = load_settings(home=tmp_path / "home", pack=str(tiny_pack_folder))
    pack, bank, out = load_pack(settings.pack), BankName("default", 1), tmp_path / "masks"
    banks = open_banks(settings)
    banks.create(bank, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    for name in ("a.png", "b.png"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 60, 3), len(name), dtype=np.uint8)).save(tmp_path / "photos" / name)
    images = find_images([tmp_path / "photos"]).images
    background = background_category("tree, grass")
    with banks.open(bank) as store:
        store.add(make_prototypes(pack, NOUNS, seed=1))
        segmenter = Segmenter(pack, store, bank=str(bank))
        options = {"out": out, "colours": colours, "bank_created": bank_created(settings, bank)}
        list(segment_images(segmenter, images[:1], ["ball|sky", background], **options))
        now = {"additions": store.revision().additions, "removals": store.revision().removals}
    asked = [{"name": "ball|sky"}, {"name": background.name, "synonyms": list(background.synonyms)}]
    asked[1] |= {"text": background.text} if background.text is not None else {}
    request = segmentation_request(settings, asked, bank="default", colours=colours)
    folder = ResultsFolder(
        out, ("mask", "overlay", "summary"), request.digest(bank_created(settings, bank)), ResultsManifest(out)
    )
    here = LocalBackend(settings)
    plan = plan_resumption(
        LocalBackend(settings), images, folder, BankAge(lambda: now, keep_older=False), keep_older=False
    )
    assert [image.name for image in plan.written] == ["a.png"]
    assert [image.name for image in plan.left] == ["b.png"]
    newer = BankAge(lambda: {**now, "additions": now["additions"] + 1}, keep_older=False)
    assert plan_resumption(here, images, folder, newer, keep_older=False).older == ["a.png"]
    other = segmentation_request(settings, asked[:1], bank="default", colours=colours)
    folder = ResultsFolder(out, folder.formats, other.digest(bank_created(settings, bank)), ResultsManifest(out))
    age = BankAge(lambda: now, keep_older=False)
    assert plan_resumption(here, images, folder, age, keep_older=False).otherwise == ["a.png"]
