"""The parameters of segmentation, as the API lists them."""

from fastapi.testclient import TestClient

from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import PLACES
from freeda_svc.settings import Settings


def test_the_limits_of_a_request_are_listed(client: TestClient, settings: Settings) -> None:
    assert client.get("/v1/parameters").json()["limits"] == {
        "images": 1000,
        "body_bytes": settings.api_max_body_bytes,
        "pixels": settings.max_image_pixels,
        "categories": 2000,
    }


def test_every_parameter_is_listed_with_the_packs_value_and_range(client: TestClient) -> None:
    answer = client.get("/v1/parameters")
    assert answer.status_code == 200
    assert (answer.json()["pack"], answer.json()["bank"]) == ("miniature", "default")
    found = {parameter["name"]: parameter for parameter in answer.json()["parameters"]}
    assert list(found) == list(PLACES)
    usual = read_pack_parameters("miniature", None).parameters.segmentation
    assert found["k"]["default"] == usual.k
    assert found["k"]["type"] == "integer"
    assert (found["k"]["minimum"], found["k"]["maximum"]) == (1, None)
    assert found["superpixel_sigma"]["default"] == usual.superpixels.sigma
    assert (found["superpixel_sigma"]["unit"], found["superpixel_sigma"]["maximum"]) == ("pixels", 100)
    assert found["superpixel_scale"]["above"] == 0
    assert found["superpixels"]["choices"] == ["felzenszwalb", "slic", "watershed", "seeds", "quickshift", "none"]
    assert found["origins"]["type"] == "array"
    assert found["origins"]["default"] == []
    assert found["refinement_dilations"]["unit"] == "pixels"
    assert found["beta"]["expected"] == "a number from 0 to 1"
