"""No answer names a path of the server, or an address of what it uses."""

from pathlib import Path

import pytest

from freeda_svc.api.hidden import file_names, source_name, without_ip_addresses, without_server
from freeda_svc.settings import load_settings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/cat.png cannot be read", "cat.png cannot be read"),
        ("'/home/me/cat.png': not an image", "'cat.png': not an image"),
        ("the folder /srv/data/ is full", "the folder data is full"),
        ("/data: no such file", "data: no such file"),
        ("see http://host/path and https://host:80/a/b", "see http://host/path and https://host:80/a/b"),
        ("km/h, and/or, 1 / 2, ../cat.png, ~/cat.png", "km/h, and/or, 1 / 2, ../cat.png, ~/cat.png"),
        ("a|b, photos/cat.png", "a|b, photos/cat.png"),
    ],
)
def test_only_the_last_part_of_an_absolute_path_is_left(text: str, shown: str) -> None:
    assert file_names(text) == shown


def test_a_bucket_and_its_server_are_hidden(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, artifacts="s3://photos/team", s3_endpoint="http://store.example.org:9000")
    text = (
        "a.png is gone from the artifacts at s3://photos/team; at s3://photos/team/inputs/a.png, see store.example.org"
    )
    assert without_server(text, settings) == (
        "a.png is gone from the artifacts at the server's storage; at the server's storage, see its host"
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/home/me/my photos", "my photos"),
        ("/home/me/a.txt, /home/me/b.txt", "a.txt, b.txt"),
        ("animals@1 to /srv/archive", "animals@1 to archive"),
        ("upload of 3 images", "upload of 3 images"),
        ("captions.txt", "captions.txt"),
    ],
)
def test_a_source_is_the_names_of_its_files(source: str, shown: str) -> None:
    assert source_name(source) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the bank {}/boats-2/13 has no prototype 1", "the bank boats-2@13 has no prototype 1"),
        ("the bank {}/boats/1: it is closed", "the bank boats@1: it is closed"),
        ("no room beside {}/boats/1.", "no room beside boats@1."),
        ("{}/boats/1/manifest.json is damaged", "manifest.json is damaged"),
        ("{}/boats cannot be read", "boats cannot be read"),
        ("/elsewhere/boats/1 cannot be read", "1 cannot be read"),
    ],
)
def test_an_embedded_bank_is_called_by_its_name(tmp_path: Path, text: str, shown: str) -> None:
    settings = load_settings(home=tmp_path / "my home")
    assert without_server(text.format(settings.banks_folder), settings) == shown


def test_folders_and_addresses_of_the_installation_are_hidden(tmp_path: Path) -> None:
    home = tmp_path / "my home"
    settings = load_settings(
        home=home, broker_url="redis://:secret@broker.internal:6379/0", qdrant_url="http://10.1.2.3:6333"
    )
    found = [
        without_server(f"the result {home}/artifacts/results/a/1/mask.png is gone", settings),
        without_server(f"no worker serves {home}: start one", settings),
        without_server(
            "the broker redis://:***@broker.internal:6379/0 does not answer: broker.internal:6379", settings
        ),
        without_server("the bank at http://10.1.2.3:6333 does not answer", settings),
        without_ip_addresses("connecting to 10.9.8.7:5432 failed, tried version 1.2.3"),
    ]
    assert without_server(f"gpu-1@node7.internal:{home}", settings) == "gpu-1"
    assert without_server("gpu-1@node7:/srv/freeda fell silent", settings) == "gpu-1 fell silent"
    assert without_server(f"{home}2/x and {home}", settings) == "my home2/x and the server's home"
    assert found[0] == "the result mask.png is gone"
    assert found[1] == "no worker serves the server's home: start one"
    assert found[2] == "the broker does not answer: its host"
    assert found[3] == "the bank at does not answer"
    assert found[4] == "connecting to its host failed, tried version 1.2.3"
