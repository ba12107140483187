"""Commands that ask a server do what they do on the server's own machine."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.jobs import ItemState, item_states
from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service
from tests.command_runner import Freeda, Ran, run_command

WORDS = "ball|sphere, grass, sky"


@pytest.fixture
def there(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Freeda:
    """Run a command that asks the service over the network, from a home of its own."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setenv("FREEDA_HOME", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("FREEDA_SERVER", service.address)
        return run_command(monkeypatch, capsys, *arguments)

    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture
def here(service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Freeda:
    """Run a command in the home of the service."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setenv("FREEDA_HOME", str(service.settings.home))
        monkeypatch.delenv("FREEDA_SERVER", raising=False)
        return run_command(monkeypatch, capsys, *arguments)

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "more/a.png")):
        Image.fromarray(paint_scene((17, number), EASY).image).save(folder / name)
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    """All files but the summaries, which tell how long it took."""
    files = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.suffix != ".json" or path.name.startswith("coco")
    }


def test_files_and_output_are_the_same(there: Freeda, here: Freeda, photos: Path, tmp_path: Path) -> None:
    formats = "mask,overlay,summary,scores-png,scores-npz,polygons,evidence,coco,label-studio,yolo,voc,index"
    command = ("segment", "photos", "-r", "-c", WORDS, "--explain", "--format", formats, "--out")
    far, near = there(*command, "far"), here(*command, "near")
    assert far.code == near.code == 0
    assert far.out.replace("far", "near") == near.out
    assert far.err.splitlines()[-1] == near.err.splitlines()[-1]
    assert files_below(tmp_path / "far") == files_below(tmp_path / "near")
    assert {path.name for path in (tmp_path / "far").iterdir()} == {path.name for path in (tmp_path / "near").iterdir()}


def test_resuming_asks_for_what_is_left_only(there: Freeda, photos: Path, service: Service) -> None:
    command = ("segment", "photos", "-c", WORDS, "--out", "masks", "--format", "mask,coco", "--resume", "--keep-older")
    assert there(*command, "--json").json["files"] == 4
    Image.fromarray(paint_scene((17, 9), EASY).image).save(photos / "new.png")
    (photos.parent / "masks" / "a.mask.png").unlink()
    second = there(*command, "--json")
    assert second.code == 0
    assert second.json["skipped"] == ["b.png"]
    assert sorted(image["name"] for image in second.json["images"]) == ["a.png", "new.png"]
    assert list(item_states(service.settings, second.json["job"]).values()) == [ItemState.DONE]  # only the new one
    entries = json.loads((photos.parent / "masks" / "coco.json").read_text())["images"]
    assert [entry["file_name"] for entry in entries] == ["a.png", "b.png", "new.png"]
    third = there(*command, "--json").json
    assert (third["job"], third["skipped"]) == (None, ["a.png", "b.png", "new.png"])
    other = there(*command[:3], "ball, grass", *command[4:], "--json").json
    assert other["made_otherwise"] == ["a.png", "b.png", "new.png"]


def test_jobs_are_the_same(there: Freeda, here: Freeda, photos: Path) -> None:
    job = there("segment", photos / "a.png", "-c", WORDS, "--priority", "high").out.strip()
    assert there("jobs", "watch", job[:6], "--quiet") == Ran(0, f"job {job} is done\n", "")
    for command in (
        ("jobs", "list", "--limit", 1, "--json"),
        ("jobs", "show", job, "--json"),
        ("jobs", "errors", job, "--json"),
        ("jobs", "list", "--state", "done", "--kind", "segment", "--since", "1d", "--limit", 1),
        ("jobs", "show", job),
        ("jobs", "errors", job),
        ("jobs", "cancel", job),
        ("jobs", "cancel", job, "0" * 12),
        ("jobs", "retry", job, "--json"),
        ("jobs", "show", "0" * 12),
    ):
        assert there(*command) == here(*command)
    exported = there("jobs", "export", job, "--out", "far", "--json")
    assert exported.json["images"] == 1
    here("jobs", "export", job, "--out", "near")
    assert files_below(photos.parent / "far") == files_below(photos.parent / "near")


def test_one_list_of_proposals_for_all_images(there: Freeda, photos: Path) -> None:
    ran = there("segment", "photos", "--auto", "--out", "masks", "--quiet", "--json")
    assert ran.code == 0
    assert "proposed for 2 images together: " in ran.err
    lists = [[category["name"] for category in image["categories"]] for image in ran.json["images"]]
    assert lists[0] == lists[1]


def test_captions_are_read_here_and_ingested_there(there: Freeda, here: Freeda, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a ball on the grass\n\na ball on the grass\na boat on the water\n")
    there_is = here("bank", "create", "remote")
    assert there_is.code == 0
    ran = there("ingest", "captions.txt", "--bank", "remote", "--wait", "--json", "--quiet")
    assert ran.code == 0
    assert (ran.json["state"], ran.json["totals"]["captions"]) == ("done", 2)
    assert ran.json["left_out"] == {"empty": 1, "repeated": 1}
    assert there("jobs", "show", ran.json["job"], "--json").json["source"] == "captions.txt"


def test_banks_are_the_same(there: Freeda, here: Freeda, photos: Path) -> None:
    for command in (
        ("bank", "list"),
        ("bank", "stats"),
        ("bank", "nouns", "--limit", 3),
        ("bank", "nouns", "--json", "--details", "--bank", "default@1"),
        ("bank", "search", "ball on grass", "--limit", 4),
        ("bank", "search", "ball", "--bank", "nobody"),
    ):
        assert there(*command) == here(*command)
    for command in (("bank", "list", "--json"), ("bank", "stats", "--json")):
        assert there(*command).json == here(*command).json
    found, expected = (run("bank", "search", "sky", "--json").json for run in (there, here))
    files = {"image", "mask", "attribution"}  # addresses there, and paths here
    assert [{name: one[name] for name in one.keys() - files} for one in found] == [
        {name: one[name] for name in one.keys() - files} for one in expected
    ]


def test_banks_are_made_switched_and_dropped(there: Freeda, here: Freeda) -> None:
    assert there("bank", "create", "changing") == Ran(0, "changing@1\n", "")
    assert there("bank", "create", "changing@2", "--json").json == {"bank": "changing@2"}
    switched = there("bank", "switch", "changing@2")
    assert (switched.code, switched.out) == (0, "changing@2 is current\n")
    assert "changing@2 is empty" in switched.err
    current = {entry["bank"]: entry["current"] for entry in here("bank", "list", "--json").json}
    assert (current["changing@1"], current["changing@2"]) == (False, True)
    assert there("bank", "drop", "changing@1", "--yes", "--json").json == {"bank": "changing@1", "prototypes": 0}
    assert there("bank", "drop", "changing@1", "--yes") == here("bank", "drop", "changing@1", "--yes")
    assert there("bank", "drop", "changing@2", "--yes").code == 0


@pytest.fixture
def marked(photos: Path) -> Path:
    """A COCO file that marks two things in two photos, one of which lies in a folder."""
    square = [[8, 8, 40, 8, 40, 40, 8, 40]]
    names = ["a.png", "more/a.png"]
    coco = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "categories": [{"id": 1, "name": "lamp"}, {"id": 2, "name": "shade"}],
        "annotations": [
            {"image_id": 0, "category_id": 1, "segmentation": square},
            {"image_id": 0, "category_id": 2, "segmentation": [[30, 30, 60, 30, 60, 60, 30, 60]]},
            {"image_id": 1, "category_id": 1, "segmentation": square},
            {"image_id": 1, "category_id": 2, "segmentation": square, "iscrowd": 1},
        ],
    }
    path = photos / "marks.json"
    path.write_text(json.dumps(coco))
    return path


def test_exemplars_teach_there_what_they_teach_here(
    there: Freeda, here: Freeda, marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.arange(64 * 64).reshape(64, 64) % 64 < 20).save(tmp_path / "mask.png")
    pair = ("--noun", "mast", "--image", "photos/b.png", "--mask", "mask.png", "--caption", "a mast")
    ended: dict[str, list[Ran]] = {}
    for run, bank in ((there, "far"), (here, "near")):
        assert here("bank", "create", bank).code == 0
        given = ("--bank", bank, "--wait", "--quiet")
        ended[bank] = [
            run("bank", "add-exemplars", *pair, *given, "--json"),
            run("bank", "add-exemplars", "--annotations", marked, *given, "--json"),
            run("bank", "add-exemplars", *pair, *given),
        ]
    for far, near in zip(ended["far"], ended["near"], strict=True):
        assert (far.code, far.err) == (near.code, near.err) == (0, far.err)
    for far, near in zip(ended["far"][:2], ended["near"][:2], strict=True):
        assert {**far.json, "job": ""} == {**near.json, "job": ""}
    assert ended["far"][1].json["totals"]["prototypes"] == 3
    assert "crowd" in ended["far"][1].err
    assert there("jobs", "show", ended["far"][1].json["job"], "--json").json["source"] == "marks.json"
    assert ended["far"][2].out.partition(":")[2] == ended["near"][2].out.partition(":")[2]

    assert (
        there("bank", "nouns", "--json", "--bank", "far").json == here("bank", "nouns", "--json", "--bank", "near").json
    )
    found, expected = (here("bank", "search", "lamp", "--json", "--bank", bank).json for bank in ("far", "near"))
    assert [one["id"] for one in found] == [one["id"] for one in expected]
    for one in found:
        far = there("bank", "show", one["id"], "--bank", "far", "--out", "far.png", "--json")
        near = here("bank", "show", one["id"], "--bank", "near", "--out", "near.png", "--json")
        places = {"image", "mask", "attribution", "job"}
        assert {key: far.json[key] for key in far.json.keys() - places} == {
            key: near.json[key] for key in near.json.keys() - places
        }
        assert (tmp_path / "far.png").read_bytes() == (tmp_path / "near.png").read_bytes()
        assert far.err == "wrote far.png\n"
    opened: list[str] = []
    monkeypatch.setattr("click.launch", lambda place: opened.append(place) or 0)
    assert there("bank", "show", found[0]["id"], "--bank", "far", "--open").code == 0
    with Image.open(opened[0]) as picture:
        assert picture.format == "PNG"


def test_banks_are_shown_curated_and_forgotten_there(there: Freeda, here: Freeda, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a ball on the grass\na boat on the water\na red ball\n")
    assert here("bank", "create", "waning").code == 0
    assert here("ingest", "captions.txt", "--bank", "waning", "--wait", "--quiet").code == 0
    own = ("--bank", "waning")
    for command in (
        ("bank", "show", "waning"),
        ("bank", "show", "default@1", "--json"),
        ("bank", "curate", "--dry-run"),
        ("bank", "curate", "--dry-run", "--keep", 0.5, "--json"),
        ("bank", "curate", "--undo", "--json", *own),
        ("bank", "curate", "--undo", *own),
        ("bank", "curate", "--keep", 2, *own),
        ("bank", "forget", "--noun", "Ball", "--dry-run", *own),
        ("bank", "forget", "--noun", "ball", "--dry-run", "--json", *own),
        ("bank", "forget", "--noun", "zebra", *own),
        ("bank", "forget", "--noun", "ball", *own),
        ("bank", "forget", "--noun", " ", *own),
        ("bank", "forget", *own),
    ):
        assert there(*command) == here(*command), command
    missing = there("bank", "show", "0" * 8 + "-0000-0000-0000-" + "0" * 12, *own)
    assert (missing.code, missing.out, "the bank waning@1 has no prototype 0000" in missing.err) == (1, "", True)
    count = here("bank", "nouns", "--json", *own).json["ball"]
    assert there("bank", "forget", "--noun", "ball", "--yes", *own) == Ran(
        0, f"{count} prototypes removed from waning@1\n", ""
    )
    assert "ball" not in here("bank", "nouns", "--json", *own).json
    curated = there("bank", "curate", "--json", *own)
    assert (curated.code, curated.json["bank"]) == (0, "waning@1")


def test_jobs_are_removed_there(there: Freeda, here: Freeda, photos: Path) -> None:
    jobs = [there("segment", photos / name, "-c", WORDS, "--wait", "--json").json["job"] for name in ("a.png", "b.png")]
    named = ("jobs", "prune", *(job[:8] for job in jobs))
    for command in (
        (*named, "--dry-run"),
        (*named, "--dry-run", "--json"),
        named,
        ("jobs", "prune", jobs[0], "--older-than", "3d"),
        ("jobs", "prune", "--older-than", "soon"),
        ("jobs", "prune", "--older-than", "900d", "--yes"),
        ("jobs", "prune", "--dry-run", "--json"),
    ):
        assert there(*command) == here(*command), command
    dry = there(*named, "--dry-run", "--json").json
    assert there("jobs", "prune", jobs[0], "--yes").out.startswith("1 job and ")
    assert there("jobs", "prune", jobs[1], "--yes", "--json").json["removed"] is True
    assert [job["id"] for job in dry["jobs"]] == jobs
    assert [here("jobs", "show", job).code for job in jobs] == [1, 1]


def test_results_that_are_older_than_the_bank_are_made_again(there: Freeda, here: Freeda, photos: Path) -> None:
    assert here("bank", "create", "older").code == 0
    (photos.parent / "one.txt").write_text("a ball on the grass\n")
    (photos.parent / "two.txt").write_text("a boat on the water\n")
    assert there("ingest", "one.txt", "--bank", "older", "--wait", "--quiet").code == 0
    command = ("segment", "photos", "-c", WORDS, "--bank", "older", "--out", "masks", "--resume", "--json")
    assert len(there(*command).json["images"]) == 2
    assert there(*command).json["skipped"] == ["a.png", "b.png"]
    assert there("ingest", "two.txt", "--bank", "older", "--wait", "--quiet").code == 0
    assert there(*command).json["older"] == {"done_again": ["a.png", "b.png"], "kept": []}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("segment", "photos", "-c", "ball, ball"), 2, "'ball' is given twice"),
        (("segment", "photos", "-c", "ball", "--bank", "nobody"), 1, "there is no bank nobody"),
        (("segment", "photos", "-c", "ball", "--set", "stride=9999"), 1, "stride"),
        (("segment", "nothing.png", "-c", "ball"), 1, "no such image file: nothing.png"),
        (("bank", "index"), 2, "`freeda bank index` works on this machine only"),
        (("jobs", "prune", "0" * 12), 1, "there is no job"),
        (("bank", "show", "nobody"), 1, "'nobody' is neither a bank nor the id of a prototype"),
        (("bank", "forget", "--noun", "ball"), 2, "give --yes to do it"),
        (("bank", "forget", "--job", "0" * 12, "--yes"), 1, "there is no job"),
        (("bank", "curate", "--bank", "nobody"), 1, "there is no bank nobody"),
        (("bank", "add-exemplars", "--noun", "x", "--image", "photos/a.png", "--mask", "no.png"), 1, "no.png"),
        (("up",), 2, "`freeda up` works on this machine only"),
        (("ingest", "nothing.txt"), 1, "nothing.txt"),
    ],
)
def test_mistakes_are_one_line(
    there: Freeda, photos: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = there(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err


def test_server_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FREEDA_SERVER_KEY", "freeda_secret")
    ran = run_command(monkeypatch, capsys, "--server", "http://127.0.0.1:1", "jobs", "list")
    assert ran.code == 1
    assert ran.err.startswith("Error: http://127.0.0.1:1 cannot be reached")
    shown = run_command(monkeypatch, capsys, "config")
    assert "freeda_secret" not in ran.err + shown.out
    assert not (tmp_path / "home").exists()


def test_interrupted_upload_or_waiting_says_how_to_go_on(
    there: Freeda, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("freeda_svc.cli.backends.remote.RemoteBackend.item_states", interrupt)
    ran = there("segment", "photos", "-c", WORDS, "--out", "masks", "--quiet")
    job = there("jobs", "list", "--limit", 1, "--json").json[0]["id"]
    assert ran.code == 130
    assert f"job {job} goes on: the same command with --resume takes its results" in ran.err


def test_more_images_than_a_request_takes_become_several_jobs(
    there: Freeda, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freeda_svc.client.parts.FEW_IMAGES", 1)
    monkeypatch.setattr(
        "freeda_svc.client.Jobs.installation",
        lambda _self, bank="": {
            "most_images": 2,
            "max_body_bytes": 1 << 30,
            "bank": {"bank": bank or "default@1"},
            "pack": {},
        },
    )
    ran = there("segment", "photos", "-r", "-c", WORDS, "--json", "--idempotency-key", "many")
    assert len(ran.json["jobs"]) == 2
    assert there("segment", "photos", "-r", "-c", WORDS, "--json", "--idempotency-key", "many").json == ran.json
    out = there("segment", "photos", "-r", "-c", WORDS, "--out", "masks", "--format", "coco", "--json").json
    assert [image["name"] for image in out["images"]] == ["a.png", "b.png", "more/a.png"]
