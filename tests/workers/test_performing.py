import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.bank.banks import BankName
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs.claims import Claim
from freeda_svc.jobs.results import colours_of, result_folder
from freeda_svc.jobs.states import JobKind
from freeda_svc.outputs import InputImage, KeptResult, SegmentedImage, write_collections, write_image_files
from freeda_svc.settings import Settings
from freeda_svc.workers.performing import fit_together, most_together, perform, perform_together
from freeda_svc.workers.resources import Resources
from tests.made_prototypes import make_prototype

NOUNS = ("ball", "sky")
FILES = ("mask", "overlay", "summary", "evidence", "evidence-page")


@pytest.fixture
def resources(make_settings: Callable[..., Settings], tiny_pack_folder: Path) -> Iterator[Resources]:
    """With a bank of a few prototypes of two nouns, and an image among the artifacts."""
    holding = Resources(make_settings(pack=str(tiny_pack_folder), device="cpu"))
    bank = BankName("default", 1)
    holding.create(bank)
    rng = np.random.default_rng(0)
    keys = holding.pack.image_text.embed_nouns(NOUNS).numpy()
    holding.bank(bank).add(
        [
            make_prototype(
                noun,
                caption_id=f"{noun} {number}",
                seed=number,
                key=key,
                vector=rng.normal(0, 1, holding.pack.backbone.dimension).astype(np.float32),
                pack=holding.pack.fingerprint,
                encoders=holding.pack.encoders_fingerprint,
            )
            for number in range(3)
            for noun, key in zip(NOUNS, keys, strict=True)
        ]
    )
    folder = holding.settings.artifacts_folder
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(folder / "a.png")
    yield holding
    holding.close()


def claim(resources: Resources, categories: list[dict[str, Any]] | None, item: int = 1, **parameters: object) -> Claim:
    return Claim(
        item_id=item,
        attempt=1,
        number=item,
        job_id="job",
        kind=JobKind.SEGMENT,
        pack=resources.settings.pack,
        fingerprint=resources.pack.fingerprint,
        parameters={"bank": "default@1", "categories": categories, "overrides": {}, **parameters},
        input={"image": "a.png", "name": "<b>a.png"},
    )


def picture(resources: Resources, asked: Claim, stem: str = "a") -> SegmentedImage:
    return SegmentedImage(
        InputImage(resources.settings.artifacts_folder / "a.png", "a.png", stem),
        KeptResult(result_folder(resources.settings, asked.job_id, asked.number)),
        colours_of(asked.parameters),
    )


def test_a_job_that_explains_keeps_evidence_beside_its_result(resources: Resources, tmp_path: Path) -> None:
    asked = claim(resources, [{"name": "ball"}, {"name": "sky"}], explain=True)
    perform(resources, asked)
    files = write_image_files(picture(resources, asked), tmp_path / "out", FILES)
    assert {path.name for path in files.values()} == {
        "a.mask.png", "a.overlay.png", "a.json", "a.evidence.json", "a.evidence.html",
    }  # fmt: skip
    evidence = json.loads(files["evidence"].read_text())
    assert evidence["bank"] == "default@1"
    assert evidence["proposals"] is None
    assert evidence["categories"][0]["prototypes"][0]["caption"].startswith("a ")
    page = files["evidence-page"].read_text()
    assert "<h1>&lt;b&gt;a.png</h1>" in page


def test_without_evidence_asking_for_it_says_what_to_do(resources: Resources, tmp_path: Path) -> None:
    asked = claim(resources, [{"name": "ball"}])
    perform(resources, asked)
    with pytest.raises(NotFoundError, match="segment the image again with --explain"):
        write_image_files(picture(resources, asked), tmp_path, ("evidence",))


def test_without_categories_the_bank_proposes_them_with_confidence(resources: Resources, tmp_path: Path) -> None:
    asked = claim(resources, None, explain=True)
    result = perform(resources, asked)
    names = [category["name"] for category in result["categories"]]
    assert names
    assert set(names) <= set(NOUNS)
    proposed = result["proposals"]["categories"]
    assert [proposal["noun"] for proposal in proposed] == names
    assert all(0 < proposal["confidence"] <= 1 for proposal in proposed)
    files = write_image_files(picture(resources, asked), tmp_path, FILES)
    assert json.loads(files["summary"].read_text())["proposals"] == result["proposals"]
    assert json.loads(files["evidence"].read_text())["proposals"] == result["proposals"]
    assert np.asarray(Image.open(files["mask"])).max() < len(names)


def test_a_job_that_only_proposes_keeps_no_result(resources: Resources) -> None:
    asked = claim(resources, None, only_propose=True)
    result = perform(resources, asked)
    version = resources.bank(BankName("default", 1)).revision()
    assert set(result) == {"proposals", "bank_version"}
    assert result["bank_version"] == {"additions": version.additions, "removals": version.removals}
    assert {proposal["noun"] for proposal in result["proposals"]["categories"]} <= set(NOUNS)
    assert not result_folder(resources.settings, "job", 1).exists()


def test_what_was_proposed_before_is_reported_beside_categories(resources: Resources, tmp_path: Path) -> None:
    proposals = perform(resources, claim(resources, None, only_propose=True))["proposals"]
    asked = claim(resources, [{"name": "ball"}, {"name": "sky"}], explain=True)
    asked.input["proposals"] = proposals
    assert perform(resources, asked)["proposals"] == proposals
    files = write_image_files(picture(resources, asked), tmp_path, FILES)
    assert json.loads(files["evidence"].read_text())["proposals"] == proposals


def test_files_for_all_images_need_the_same_categories_in_each(resources: Resources, tmp_path: Path) -> None:
    pictures = []
    for number, categories in enumerate(([{"name": "ball"}], [{"name": "sky"}])):
        asked = claim(resources, categories)
        asked = Claim(**{**vars(asked), "job_id": f"job {number}"})
        perform(resources, asked)
        pictures.append(picture(resources, asked, f"image-{number}"))
    with pytest.raises(InputError, match="files for all images hold those of one list; leave out coco"):
        write_collections(pictures, tmp_path / "out", ("coco",))
    assert not (tmp_path / "out").exists()


def test_images_of_one_kind_of_request_go_through_the_models_together(resources: Resources) -> None:
    image = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(image).save(resources.settings.artifacts_folder / "b.png")
    lists = [[{"name": "ball"}, {"name": "sky"}], [{"name": "sky"}], [{"name": "sky"}, {"name": "grass"}]]
    claims = [claim(resources, asked, number) for number, asked in enumerate(lists, start=1)]
    claims[1].input["image"], claims[2].input["image"] = "b.png", "gone.png"
    assert all(fit_together(claims[0], other) for other in claims[1:])
    results = perform_together(resources, claims)
    assert list(results) == [1, 2]  # what cannot be read is done alone, which says why
    for one in claims[:2]:
        kept = KeptResult(result_folder(resources.settings, "job", one.number))
        assert kept.whole
        assert kept.summary == json.loads(json.dumps(results[one.item_id]))
        together = kept.labels
        alone = perform(resources, one)
        assert (kept.labels == together).mean() > 0.999
        assert [category["name"] for category in alone["categories"]] == kept.names
        assert [category["words"] for category in alone["categories"]] == [
            category["words"] for category in results[one.item_id]["categories"]
        ]


def test_what_is_asked_decides_what_goes_together(resources: Resources) -> None:
    usual = [{"name": "ball"}]
    first = claim(resources, usual)
    resources.prepare(JobKind.SEGMENT)
    assert most_together(resources, first) > 1
    for alone in (claim(resources, None), claim(resources, usual, explain=True), replace(first, fingerprint="other")):
        assert most_together(resources, alone) == 1
    for other in (
        claim(resources, None),
        claim(resources, usual, explain=True),
        claim(resources, usual, overrides={"k": 2}),
        claim(resources, usual, bank="other@1"),
        replace(first, fingerprint="other"),
    ):
        assert not fit_together(first, other)
    assert fit_together(first, claim(resources, [{"name": "sky"}], colours=[[1, 2, 3]]))
