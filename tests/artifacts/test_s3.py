import os
import sys
from pathlib import Path

import pytest

from freeda_svc.artifacts import open_artifacts, s3
from freeda_svc.artifacts.s3 import S3Artifacts
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.settings import load_settings
from tests.free_ports import free_port
from tests.s3_server import BUCKET, Behaviour, S3Server


def _fill(artifacts: S3Artifacts, *names: str) -> None:
    with artifacts.filling() as root:
        folder = root / "results" / "job" / "1"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_bytes(name.encode() * 1000)


def _one_line(error: FreedaError, server: str) -> bool:
    """Whether a message is one line that shows no address of the server and no key."""
    text = str(error)
    return "\n" not in text and server not in text and "of-tests" not in text.replace(BUCKET, "")


def test_objects_have_the_layout_of_a_folder(server: S3Server, artifacts: S3Artifacts, place: str) -> None:
    _fill(artifacts, "mask.png", "summary.json")
    artifacts.write("inputs/a.png", b"image")
    prefix = place.removeprefix(f"s3://{BUCKET}/")
    found = {key.removeprefix(f"{prefix}/") for key in server.objects() if key.startswith(f"{prefix}/")}
    assert found == {"results/job/1/mask.png", "results/job/1/summary.json", "inputs/a.png"}


def test_what_others_store_and_remove_is_seen_at_once(
    artifacts: S3Artifacts, server: S3Server, place: str, tmp_path: Path
) -> None:
    other = S3Artifacts(place, tmp_path / "other copies", endpoint=server.endpoint)
    assert list(artifacts.files("inputs")) == []
    assert not artifacts.exists("inputs/a.png")
    other.write("inputs/a.png", b"image")
    assert [file.name for file in artifacts.files("inputs")] == ["inputs/a.png"]
    assert artifacts.exists("inputs/a.png")
    other.write("inputs/a.png", b"newer")
    assert artifacts.read("inputs/a.png") == b"newer"
    other.remove("inputs/a.png")
    assert not artifacts.exists("inputs/a.png")
    assert list(artifacts.files("inputs")) == []


def test_a_copy_is_fetched_once(artifacts: S3Artifacts, server: S3Server) -> None:
    artifacts.write("inputs/large.png", content := os.urandom(12 << 20))
    path = artifacts.local("inputs/large.png")
    assert path.read_bytes() == content
    artifacts.remove_below("inputs")
    assert not path.exists()
    artifacts.write("inputs/a.png", b"image")
    artifacts.local("inputs/a.png")
    with server.silent():
        assert artifacts.local("inputs/a.png").read_bytes() == b"image"


def test_existing_objects_stay_where_they_are_not_to_be_replaced(artifacts: S3Artifacts) -> None:
    artifacts.write("thumbnails/a.png", b"earlier")
    with artifacts.filling(replacing=False) as root:
        (root / "thumbnails").mkdir()
        (root / "thumbnails" / "a.png").write_bytes(b"later")
        (root / "thumbnails" / "b.png").write_bytes(b"new")
    assert artifacts.read("thumbnails/a.png") == b"earlier"
    assert artifacts.read("thumbnails/b.png") == b"new"


def test_nothing_is_stored_when_filling_in_fails(artifacts: S3Artifacts) -> None:
    def fill() -> None:
        with artifacts.filling() as root:
            (root / "results").mkdir()
            (root / "results" / "mask.png").write_bytes(b"x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill()
    assert list(artifacts.files("results")) == []


def test_a_result_of_which_a_file_cannot_be_stored_has_no_summary(access: None, place: str, tmp_path: Path) -> None:
    server = S3Server()
    server.start(Behaviour(refuses="scores.png"))
    artifacts = S3Artifacts(place, tmp_path, endpoint=server.endpoint)
    try:
        with pytest.raises(UnavailableError, match=r"access was denied \(AccessDenied\); check the access key") as said:
            _fill(artifacts, "mask.png", "scores.png", "regions.npz", "summary.json")
        assert _one_line(said.value, server.endpoint)
        assert not artifacts.exists("results/job/1/summary.json")
    finally:
        server.kill()


def test_a_server_that_dies_within_an_upload(access: None, place: str, tmp_path: Path) -> None:
    server = S3Server()
    server.start(Behaviour(dies_at="/results/", after=1))
    artifacts = S3Artifacts(place, tmp_path, endpoint=server.endpoint)
    with pytest.raises(UnavailableError, match="the server cannot be reached; start it, or correct s3_endpoint"):
        _fill(artifacts, "mask.png", "scores.png", "regions.npz", "summary.json")
    server.wait_for_its_end()
    server.start()
    try:
        _fill(artifacts, "mask.png", "scores.png", "regions.npz", "summary.json")
        assert len(list(artifacts.files("results/job/1"))) == 4
    finally:
        server.kill()


def test_a_server_that_is_not_there(access: None, place: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    artifacts = S3Artifacts(place, tmp_path, endpoint=f"http://{address}")
    for ask in (
        artifacts.try_out,
        lambda: artifacts.read("inputs/a.png"),
        lambda: artifacts.local("inputs/a.png"),
        lambda: artifacts.exists("inputs/a.png"),
        lambda: list(artifacts.files("inputs")),
        lambda: artifacts.remove("inputs/a.png"),
    ):
        with pytest.raises(UnavailableError, match="cannot be reached") as said:
            ask()
        assert _one_line(said.value, address)
        assert place in str(said.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_server_that_says_nothing(
    server: S3Server, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(s3, "TRIES", 1)
    artifacts = S3Artifacts(place, tmp_path, endpoint=server.endpoint)
    with server.silent(), pytest.raises(UnavailableError, match="has not answered within 1 s") as said:
        artifacts.write("inputs/a.png", b"image")
    assert _one_line(said.value, server.endpoint)


def test_a_bucket_that_is_not_there_is_no_missing_artifact(server: S3Server, tmp_path: Path) -> None:
    artifacts = S3Artifacts("s3://no-such-bucket", tmp_path, endpoint=server.endpoint)
    for ask in (artifacts.try_out, lambda: artifacts.read("a"), lambda: artifacts.local("a")):
        with pytest.raises(UnavailableError, match="there is no such bucket; make it, or correct artifacts"):
            ask()


def test_an_artifact_that_is_not_there(artifacts: S3Artifacts) -> None:
    with pytest.raises(NotFoundError, match=r"inputs/none\.png is gone from the artifacts at s3://"):
        artifacts.local("inputs/none.png")
    assert [path for path in artifacts.folder.rglob("*") if path.is_file()] == []


def test_no_access_key(server: S3Server, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    artifacts = S3Artifacts(place, tmp_path, endpoint=server.endpoint)
    with pytest.raises(UnavailableError, match="no access key is set; set AWS_ACCESS_KEY_ID and"):
        artifacts.try_out()


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "inputs/../../a", ""])
def test_names_that_lead_out_are_refused(artifacts: S3Artifacts, name: str) -> None:
    for ask in (artifacts.local, artifacts.read, artifacts.exists, artifacts.remove):
        with pytest.raises(InputError, match="leads out of s3://"):
            ask(name)


def test_without_the_extra_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    settings = load_settings(home=tmp_path, artifacts="s3://some-bucket/freeda")
    with pytest.raises(InputError, match=r"s3fs, which is not installed: install freeda-svc\[s3\]"):
        open_artifacts(settings).read("inputs/a.png")


def test_one_connection_a_process_and_place(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, artifacts="s3://some-bucket/freeda")
    other = settings.model_copy(update={"artifacts": "s3://some-bucket/other"})
    assert open_artifacts(settings) is open_artifacts(settings)
    assert open_artifacts(settings) is not open_artifacts(other)
    assert open_artifacts(settings).folder == tmp_path / "artifact-copies"
