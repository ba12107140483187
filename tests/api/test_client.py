"""The client against a running installation."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import freeda_svc
from freeda_svc.client.parts import RequestLimits
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import export_results, list_jobs, submitted_images
from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service

WORDS = ["ball|sphere", "grass", "sky"]


@pytest.fixture
def client(service: Service) -> Iterator[freeda_svc.Client]:
    with freeda_svc.Client(service.address) as asking:
        yield asking


@pytest.fixture(scope="module")
def scene() -> npt.NDArray[np.uint8]:
    return paint_scene((13, 0), EASY).image


def test_results_are_those_of_the_library(
    service: Service, client: freeda_svc.Client, scene: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    [result] = client.segment(scene, WORDS)
    assert isinstance(result, freeda_svc.Result)
    assert result.categories == tuple(WORDS)
    assert np.array_equal(result.image, scene)
    assert np.array_equal(result.mask("sphere"), result.labels == 0)
    job = client.jobs(limit=1)[0]["id"]
    export_results(service.settings, job, tmp_path / "kept", ["mask", "scores-npz", "summary", "polygons"])
    result.save(tmp_path / "here", ["mask", "scores-npz", "summary", "polygons"])
    kept = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir() if path.suffix != ".json"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir() if path.suffix != ".json"} == kept
    assert [row["category"] for row in result.table()] == WORDS
    assert sum(row["pixels"] for row in result.table()) == scene.shape[0] * scene.shape[1]
    assert json.loads(json.dumps(result.summary())) == client.items(job)[0]["result"]


def test_own_scores_are_known_of_every_pixel(client: freeda_svc.Client, scene: npt.NDArray[np.uint8]) -> None:
    [result] = client.segment(scene, WORDS)
    for index, word in enumerate(WORDS):
        scores = result.scores(word)
        assert not np.isnan(scores[result.labels == index]).any()
        assert np.nanmax(scores) <= 1


def test_results_come_in_the_order_of_the_images_and_progress_is_told(
    client: freeda_svc.Client, scene: npt.NDArray[np.uint8]
) -> None:
    told: list[tuple[int, int]] = []
    images = [scene, scene[::-1].copy(), scene[:, ::-1].copy()]
    results = client.segment(images, WORDS, progress=lambda done, total: told.append((done, total)))
    assert all(np.array_equal(result.image, image) for result, image in zip(results, images, strict=True))
    assert told[-1] == (3, 3)


def test_a_lost_answer_makes_no_second_job(service: Service, scene: npt.NDArray[np.uint8]) -> None:
    class Losing(httpx.HTTPTransport):
        """Loses the first answer to a submission, after the server has done it."""

        lost = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if request.method == "POST" and not self.lost:
                self.lost += 1
                answer.read()
                answer.close()
                raise httpx.ReadError("lost")
            return answer

    before = {job.id for job in list_jobs(service.settings, limit=1000)}
    losing = Losing()
    with freeda_svc.Client(service.address, transport=losing) as client:
        job = client.submit(scene, WORDS)
    assert losing.lost == 1
    assert {found.id for found in list_jobs(service.settings, limit=1000)} - before == {job}
    assert len(submitted_images(service.settings, job)) == 1


def test_files_are_downloaded_as_they_are_exported(
    service: Service, client: freeda_svc.Client, scene: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    job = client.submit([scene, scene[::-1].copy()], WORDS, explain=True)
    assert client.wait(job[:8])["state"] == "done"
    formats = ["mask", "overlay", "summary", "evidence", "coco", "yolo", "voc"]
    written = client.download(job, tmp_path / "got", formats)
    exported = tmp_path / "exported"
    export_results(service.settings, job, exported, formats)
    expected = {path.relative_to(exported): path.read_bytes() for path in exported.rglob("[!.]*") if path.is_file()}
    assert {path.relative_to(tmp_path / "got"): path.read_bytes() for path in written} == expected


@pytest.fixture
def own_bank(client: freeda_svc.Client) -> Iterator[str]:
    """An empty bank that a test may change."""
    name = client.create_bank("taught")
    yield name
    client.drop_bank(name)


def lamp(scene: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(scene.shape[:2], dtype=bool)
    mask[10:30, 20:50] = True
    return mask


def test_exemplars_teach_a_noun(
    client: freeda_svc.Client, own_bank: str, scene: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    mask = lamp(scene)
    Image.fromarray(scene[::-1]).save(tmp_path / 'a "lamp".png')
    pairs = [(scene, mask), (tmp_path / 'a "lamp".png', Image.fromarray(mask[::-1]))]
    heard: list[tuple[int, int]] = []
    job = client.exemplars(
        "Reading  Lamp",
        pairs,
        caption="a lamp at night",
        bank=own_bank,
        idempotency_key="lamps",
        progress=lambda done, total: heard.append((done, total)),
    )
    assert (job["state"], job["kind"], job["totals"]["prototypes"]) == ("done", "exemplars", 2)
    assert heard[-1] == (2, 2)
    assert client.nouns(own_bank) == {"reading lamp": 2}
    assert client.stats(own_bank)["origins"] == {"exemplar": 2}
    again = client.exemplars(
        "Reading  Lamp", pairs, caption="a lamp at night", bank=own_bank, idempotency_key="lamps", wait=False
    )
    assert again["id"] == job["id"]

    found = client.search("lamp", bank=own_bank)[0]
    shown = client.prototype(found["id"], bank=own_bank)
    assert (shown["noun"], shown["caption"], shown["job"]) == ("reading lamp", "a lamp at night", job["id"])
    with Image.open(client.prototype_picture(found["id"], tmp_path / "lamp.png", bank=own_bank)) as picture:
        assert picture.format == "PNG"

    curated = client.curate(keep=0.5, bank=own_bank, dry_run=True)
    assert (curated["bank"], curated["assessed"], curated["left_alone"]) == (own_bank, 0, 2)
    assert client.uncurate(bank=own_bank) == 0
    counted = client.forget(noun="reading lamp", bank=own_bank, dry_run=True)
    assert counted == {"bank": own_bank, "found": 2, "removed": 0}
    assert client.forget(job=job["id"][:8], bank=own_bank)["removed"] == 2
    assert client.nouns(own_bank) == {}


def test_what_was_marked_of_a_turned_picture_has_to_be_said(
    client: freeda_svc.Client, own_bank: str, scene: npt.NDArray[np.uint8]
) -> None:
    turned = Image.fromarray(scene)
    turned.getexif()[0x0112] = 3
    with pytest.raises(InputError, match=r"drawn.on stored"):
        client.exemplars("lamp", [(turned, lamp(scene))], bank=own_bank)
    job = client.exemplars("lamp", [(turned, lamp(scene))], drawn_on="upright", bank=own_bank)
    assert job["totals"]["prototypes"] == 1


@pytest.mark.parametrize(
    ("ask", "kind", "message"),
    [
        (lambda client, _: client.exemplars("lamp", []), InputError, "no images were given"),
        (lambda client, scene: client.exemplars("", [(scene, lamp(scene))]), InputError, "the noun is a text"),
        (
            lambda client, scene: client.exemplars("lamp", [(scene, lamp(scene)[:40])]),
            InputError,
            "pixels, but its image",
        ),
        (lambda client, scene: client.exemplars("lamp", [(scene, lamp(scene) & False)]), InputError, "empty"),
        (lambda client, _: client.forget(), InputError, "say which prototypes"),
        (lambda client, _: client.forget(noun="ball", bank="nobody"), NotFoundError, "there is no bank nobody"),
        (lambda client, _: client.curate(keep=2.0), InputError, "keep"),
        (lambda client, _: client.prototype("0" * 8), InputError, "prototype"),
        (lambda client, _: client.prune("0" * 12), NotFoundError, "there is no job"),
        (lambda client, _: client.prune(older_than="soon"), InputError, "no time span"),
        (lambda client, _: client.drop_bank("nobody@1"), NotFoundError, "there is no bank nobody"),
    ],
)
def test_mistakes_about_banks_are_one_sentence(
    client: freeda_svc.Client,
    scene: npt.NDArray[np.uint8],
    ask: Callable[[freeda_svc.Client, npt.NDArray[np.uint8]], object],
    kind: type[FreedaError],
    message: str,
) -> None:
    before = len(client.jobs(limit=1000))
    with pytest.raises(kind, match=message) as raised:
        ask(client, scene)
    assert "\n" not in str(raised.value)
    assert len(client.jobs(limit=1000)) == before


def test_jobs_are_removed(client: freeda_svc.Client, scene: npt.NDArray[np.uint8]) -> None:
    job = client.submit(scene, WORDS)
    client.wait(job)
    assert [found["id"] for found in client.prune(job[:8], dry_run=True)["jobs"]] == [job]
    removed = client.prune(job)
    assert ([found["id"] for found in removed["jobs"]], removed["removed"]) == ([job], True)
    with pytest.raises(NotFoundError):
        client.job(job)


def test_more_images_than_a_request_takes(
    client: freeda_svc.Client, scene: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(client.jobs(limit=1000))
    with pytest.raises(InputError, match=r"^1,001 images are more than .* takes in one job: submit at most 1,000 of"):
        client.submit([scene] * 1001, WORDS)
    assert len(client.jobs(limit=1000)) == before
    monkeypatch.setattr("freeda_svc.client.parts.FEW_IMAGES", 1)
    monkeypatch.setattr("freeda_svc.client.parts.request_limits", lambda _server: RequestLimits(2, 1 << 30))
    images = [scene, scene[::-1].copy(), scene[:, ::-1].copy()]
    heard: list[tuple[int, int]] = []
    results = client.segment(images, iter(WORDS), progress=lambda done, total: heard.append((done, total)))
    assert all(np.array_equal(result.image, image) for result, image in zip(results, images, strict=True))
    assert heard[-1] == (3, 3)
    assert len(client.jobs(limit=1000)) == before + 2
    with pytest.raises(InputError, match="k is 0"):
        client.segment(images, WORDS, k=0)
    assert len(client.jobs(limit=1000)) == before + 2


def test_more_bytes_than_a_request_takes(client: freeda_svc.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("parts", "submissions"):
        monkeypatch.setattr(f"freeda_svc.client.{place}.FEW_BYTES", 10)
        monkeypatch.setattr(f"freeda_svc.client.{place}.request_limits", lambda _server: RequestLimits(9, 1000))
    with pytest.raises(InputError, match=r"bytes are more than http.* takes at once, 1,000: send fewer or smaller"):
        client.ingest([f"a cat on hill {number}" for number in range(100)])
    with pytest.raises(InputError, match=r"2,000 bytes are more than"):
        client.segment([b"x" * 2000, b"y"], WORDS)


def test_threads_share_a_client(client: freeda_svc.Client, scene: npt.NDArray[np.uint8]) -> None:
    found: list[freeda_svc.Result] = []
    threads = [threading.Thread(target=lambda: found.extend(client.segment(scene, WORDS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == 4
    assert all(result == found[0] for result in found)


@pytest.mark.parametrize(
    ("ask", "kind", "message"),
    [
        (lambda client, scene: client.segment(scene, ["ball", "ball"]), InputError, "'ball' is given twice"),
        (lambda client, scene: client.segment(scene, WORDS, k=0), InputError, "k is 0"),
        (lambda client, scene: client.segment(scene, WORDS, kk=3), InputError, "kk"),
        (lambda client, scene: client.segment(scene, WORDS, bank="nobody"), NotFoundError, "there is no bank nobody"),
        (lambda client, _scene: client.segment(b"a sentence", WORDS), InputError, "is not an image"),
        (lambda client, _scene: client.job("0" * 12), NotFoundError, "there is no job"),
        (lambda client, _scene: client.job(""), InputError, "a job is named by a text"),
        (lambda client, _scene: client.jobs(state=["odd"]), InputError, "odd"),
        (lambda client, _scene: client.download(client.jobs(kind=["ingest"])[0]["id"], "out"), InputError, "bank"),
    ],
)
def test_mistakes_are_the_servers_sentences(
    client: freeda_svc.Client,
    scene: npt.NDArray[np.uint8],
    ask: Callable[[freeda_svc.Client, npt.NDArray[np.uint8]], object],
    kind: type[FreedaError],
    message: str,
) -> None:
    with pytest.raises(kind, match=message) as raised:
        ask(client, scene)
    assert "\n" not in str(raised.value)


def test_a_job_that_has_ended_is_not_cancelled(client: freeda_svc.Client, scene: npt.NDArray[np.uint8]) -> None:
    client.segment(scene, WORDS)
    job = client.jobs(limit=1)[0]["id"]
    with pytest.raises(BusyError, match=f"job {job} is done already"):
        client.cancel(job)
    with pytest.raises(BusyError, match="no failed items"):
        client.retry(job)


def test_waiting_ends_in_time_and_the_job_goes_on(client: freeda_svc.Client, scene: npt.NDArray[np.uint8]) -> None:
    job = client.submit([scene] * 20, WORDS)
    with pytest.raises(UnavailableError, match=f"job {job} has not ended within 0 s and goes on"):
        client.wait(job, timeout=0)
    assert client.wait(job)["state"] == "done"
