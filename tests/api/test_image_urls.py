"""Images that are fetched from a server of this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from freeda_svc.api import image_urls
from freeda_svc.api.image_urls import fetch_image, fetch_images, url_name
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings
from tests.api.image_host import Host, hosting


@pytest.fixture
def host() -> Iterator[Host]:
    with hosting() as found:
        yield found


@pytest.fixture
def fetching(settings: Settings, host: Host) -> Settings:
    return settings.model_copy(update={"image_hosts": f"127.0.0.1:{host.port}, example.org"})


def test_images_are_fetched_in_order_under_their_names(fetching: Settings, host: Host, tmp_path: Path) -> None:
    host.at = {f"/a/{name}?x=1": (200, {}, [name.encode(), b"!"]) for name in ("b.png", "c.png", "d%20e.png")}
    files = fetch_images(fetching, [host.url(path) for path in host.at], tmp_path)
    assert [file.name for file in files] == ["b.png", "c.png", "d e.png"]
    assert [file.read_bytes() for file in files] == [b"b.png!", b"c.png!", b"d%20e.png!"]


def test_a_redirect_is_followed_on_listed_hosts(fetching: Settings, host: Host, tmp_path: Path) -> None:
    host.at = {"/a.png": (302, {"Location": "/b.png"}, []), "/b.png": (200, {}, [b"image"])}
    fetch_image(fetching, host.url("/a.png"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"image"
    assert host.asked == ["/a.png", "/b.png"]


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("http://other.example.org/", "image URL, redirected, names the host other.example.org, which the setting"),
        ("http://127.0.0.1:1/", "at port 1, which the setting image_hosts does not list"),
        ("file:///etc/hostname", "no http or https address"),
        ("http://me@example.org/", "user or password"),
        ("/a.png", "leads from one address to the next more than 3 times"),
    ],
)
def test_no_redirect_leads_elsewhere(
    fetching: Settings, host: Host, tmp_path: Path, location: str, sentence: str
) -> None:
    host.at = {"/a.png": (301, {"Location": location}, [])}
    with pytest.raises(InputError, match=sentence):
        fetch_image(fetching, host.url("/a.png"), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_one_that_fails_is_named_and_ends_the_others(fetching: Settings, host: Host, tmp_path: Path) -> None:
    host.at = {"/a.png": (200, {}, [b"a"]), "/b.png": (404, {}, [])}
    with pytest.raises(InputError, match=r"^the host of the image URL 2 answered with status 404; expected an image$"):
        fetch_images(fetching, [host.url(path) for path in ("/a.png", "/b.png", "/hangs")], tmp_path)
    host.at["/b.png"] = (500, {}, [])
    with pytest.raises(UnavailableError, match="image URL 1 answered with status 500"):
        fetch_images(fetching, [host.url("/b.png")], tmp_path / "more")


def test_an_address_that_is_not_taken_keeps_all_from_being_fetched(
    fetching: Settings, host: Host, tmp_path: Path
) -> None:
    host.at = {"/a.png": (200, {}, [b"a"])}
    with pytest.raises(InputError, match=r"the image URL 2 names the host 127\.0\.0\.1 at port 1,"):
        fetch_images(fetching, [host.url("/a.png"), "http://127.0.0.1:1/"], tmp_path)
    assert host.asked == []


@pytest.mark.parametrize("declared", [True, False])
def test_an_image_may_have_only_so_many_bytes(
    fetching: Settings, host: Host, tmp_path: Path, declared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_urls, "MOST_BYTES", 1000)
    headers = {"Content-Length": "1001"} if declared else {}
    host.at = {"/a.png": (200, headers, [b"a" * 500, b"b" * 501])}
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        fetch_image(fetching, host.url("/a.png"), tmp_path / "a")


def test_all_images_together_may_have_only_as_many_bytes_as_a_body(
    fetching: Settings, host: Host, tmp_path: Path
) -> None:
    fetching = fetching.model_copy(update={"api_max_body_bytes": 1024})
    host.at = {path: (200, {}, [b"a" * 600]) for path in ("/a.png", "/b.png")}
    with pytest.raises(InputError, match=r"the images have more than 1,024 bytes; name fewer at once"):
        fetch_images(fetching, [host.url(path) for path in host.at], tmp_path)


def test_a_host_that_hangs_is_not_waited_for(fetching: Settings, host: Host, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"image URL 1 has not sent it within 0\.3 seconds"):
        fetch_images(fetching, [host.url("/hangs")], tmp_path, seconds=0.3)


def test_what_is_compressed_on_its_way_is_not_taken(fetching: Settings, host: Host, tmp_path: Path) -> None:
    host.at = {"/a.png": (200, {"Content-Encoding": "gzip"}, [b"x"])}
    with pytest.raises(InputError, match="compressed"):
        fetch_image(fetching, host.url("/a.png"), tmp_path / "a")


def test_where_no_host_is_listed_nothing_is_fetched(settings: Settings, host: Host, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="image_hosts lists no host"):
        fetch_image(settings, host.url("/a.png"), tmp_path / "a")
    assert host.asked == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/", "image"),
        ("https://example.org/a/..%2f..%2fb", "b"),
        ("https://example.org/%2e%2e", "image"),
        ("https://example.org/a%00b.png", "ab.png"),
        ("https://example.org/%D0%BA%D0%BE%D1%82.png", "кот.png"),
    ],
)
def test_a_name_is_never_a_way_out_of_the_folder(url: str, name: str) -> None:
    assert url_name(url) == name
