"""Images that cannot be used are left out of a submission where that is asked for."""

from fastapi.testclient import TestClient

from freeda_svc.settings import Settings
from tests.api.test_segmentations import URL, WORDS, files, inputs, png, refused


def test_images_that_are_not_usable_are_left_out_where_that_is_asked_for(
    client: TestClient, settings: Settings
) -> None:
    given = [("a/1.png", png()), ("broken.png", b"no picture"), ("b/1.png", png(seed=1))]
    answer = client.post(URL, files=files(*given), data={**WORDS, "leave_out_unusable": "true"})
    assert answer.status_code == 202
    (left_out,) = answer.json()["left_out"]
    assert (left_out["number"], left_out["name"]) == (2, "broken.png")
    assert left_out["error"].startswith("broken.png ")
    found = inputs(settings, answer.json()["job"])
    assert [(one["name"], one["stem"]) for one in found] == [("a/1.png", "a/1"), ("b/1.png", "b/1")]
    whole = client.post(URL, files=files(given[0]), data=WORDS)
    assert whole.json()["left_out"] == []


def test_where_no_image_is_usable_it_is_said_of_each(client: TestClient, settings: Settings) -> None:
    given = [("a.png", b"no picture"), ("b.png", b"none either")]
    answer = client.post(URL, files=files(*given), data={**WORDS, "leave_out_unusable": "true"})
    detail = refused(answer, settings, 422, "a.png", "(and 1 more of 2 files)")
    left_out = answer.json()["left_out"]
    assert [(image["number"], image["name"]) for image in left_out] == [(1, "a.png"), (2, "b.png")]
    assert detail.startswith(left_out[0]["error"])
