import os
from pathlib import Path

import pytest

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings, load_settings, prepare_home


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FREEDA_{name.upper()}", raising=False)
        monkeypatch.delenv(f"FREEDA_{name.upper()}_FILE", raising=False)


def test_defaults_live_in_the_home_of_the_person() -> None:
    settings = load_settings()
    assert settings.home == Path.home() / ".freeda"
    assert settings.pack == "miniature"
    assert settings.device == "auto"
    assert settings.captions_per_item == 8
    assert settings.max_attempts == 3
    assert settings.embedded_broker
    assert settings.embedded_database
    assert settings.banks_folder == settings.home / "banks"
    assert settings.embedded_database


def test_keywords_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freeda.toml").write_text('pack = "file"\nmax_attempts = 5\ncaptions_per_item = 2\n')
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path))
    monkeypatch.setenv("FREEDA_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("FREEDA_PACK", "environment")
    settings = load_settings(pack="keyword")
    assert (settings.pack, settings.max_attempts, settings.captions_per_item) == ("keyword", 7, 2)
    assert settings.lease_seconds == Settings.model_fields["lease_seconds"].default


def test_none_means_not_given(tmp_path: Path) -> None:
    assert load_settings(home=tmp_path, pack=None).pack == "miniature"


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(home="here", pack="./packs/mine")
    assert settings.home == tmp_path / "here"
    assert settings.pack == str(tmp_path / "packs" / "mine")


def test_what_was_given_for_a_secret_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "freeda.toml").write_text('broker_url = ["redis://someone:secret@host"]')
    with pytest.raises(InputError, match=r"^freeda.toml: broker_url must be a text$"):
        load_settings(home=tmp_path)


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("max_attempt = 3", "freeda.toml: there is no setting 'max_attempt'; did you mean max_attempts?"),
        ('max_attempts = "many"', "freeda.toml: max_attempts is 'many', but must be a whole number of at least 1"),
        ("max_attempts = 0", "freeda.toml: max_attempts is 0, but must be a whole number of at least 1"),
        ('device = "gpu"', "freeda.toml: device is 'gpu', but must be auto, cpu, mps, cuda"),
        ("max_attempts = ", "freeda.toml of the home is not valid TOML"),
        ('home = "/elsewhere"', "freeda.toml: home cannot be set"),
        ("[worker]\nmax_attempts = 3", "freeda.toml: there is no setting 'worker'"),
    ],
)
def test_mistakes_in_the_file_are_one_line(tmp_path: Path, toml: str, expected: str) -> None:
    (tmp_path / "freeda.toml").write_text(toml)
    with pytest.raises(InputError) as caught:
        load_settings(home=tmp_path)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "freeda.toml").write_bytes(b"pack = '\xff\xfe'")
    with pytest.raises(InputError, match=r"^freeda.toml of the home is not UTF-8 text, it looks like Windows-1252"):
        load_settings(home=tmp_path)
    (tmp_path / "freeda.toml").write_bytes("pack = 'tiny'".encode("utf-16"))
    with pytest.raises(InputError, match=r"^freeda.toml of the home is not UTF-8 text, it looks like UTF-16"):
        load_settings(home=tmp_path)


def test_files_from_windows_begin_with_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freeda.toml").write_bytes(b"\xef\xbb\xbfpack = 'tiny'\r\n")
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbfsecret\r\n")
    monkeypatch.setenv("FREEDA_QDRANT_API_KEY_FILE", str(tmp_path / "key"))
    settings = load_settings(home=tmp_path)
    assert (settings.pack, settings.qdrant_api_key) == ("tiny", "secret")


def test_mistakes_elsewhere_name_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^settings: captions_per_item is "):
        load_settings(home=tmp_path, captions_per_item="x")
    monkeypatch.setenv("FREEDA_CAPTIONS_PER_ITEM", "x")
    with pytest.raises(InputError, match=r"^environment: captions_per_item is "):
        load_settings(home=tmp_path)


def test_prepare_home_makes_folders_and_may_be_repeated(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "a" / "b")
    prepare_home(settings)
    prepare_home(settings)
    assert settings.artifacts_folder.is_dir()
    assert settings.log_file.parent.is_dir()
    assert settings.worker_lock.parent.is_dir()
    assert settings.broker_folder.is_dir()


def test_a_home_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UnavailableError) as caught:
        prepare_home(load_settings(home=tmp_path / "file" / "home"))
    assert str(tmp_path / "file" / "home") in str(caught.value)
    assert "FREEDA_HOME" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_environment_carries_all_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home=tmp_path, pack="./x/y", lease_seconds=1.5, broker_url="redis://a:1/0")
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_input_roots_are_absolute_and_may_be_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(home=tmp_path / "home", input_roots=os.pathsep.join(("photos", "/data", "")))
    assert settings.input_rules.folders == (tmp_path / "photos", Path("/data"))
    assert load_settings(home=tmp_path / "home").input_rules.folders == ()


def test_secrets_may_stand_in_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freeda.toml").write_text('database_url = "sqlite:////file"\nbroker_url = "redis://file"\n')
    for name, content in (
        ("DATABASE_URL", "sqlite:////secret\n"),
        ("QDRANT_API_KEY", "key"),
        ("BROKER_URL", "redis://x"),
    ):
        (tmp_path / name).write_text(content)
        monkeypatch.setenv(f"FREEDA_{name}_FILE", str(tmp_path / name))
    monkeypatch.setenv("FREEDA_BROKER_URL", "redis://environment")
    settings = load_settings(home=tmp_path)
    assert settings.database_url == "sqlite:////secret"
    assert settings.qdrant_api_key == "key"
    assert settings.broker_url == "redis://environment"
    assert load_settings(home=tmp_path, database_url="sqlite:////keyword").database_url == "sqlite:////keyword"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), (b"\xff\xfea\0", "is not UTF-8 text, it looks like UTF-16")],
)
def test_a_secret_that_cannot_be_read_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("FREEDA_QDRANT_API_KEY_FILE", str(tmp_path / "secret"))
    with pytest.raises(InputError, match=rf"^FREEDA_QDRANT_API_KEY_FILE: .*secret {reason}") as caught:
        load_settings(home=tmp_path)
    assert "\n" not in str(caught.value)


def test_only_secrets_are_read_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack").write_text("other")
    monkeypatch.setenv("FREEDA_PACK_FILE", str(tmp_path / "pack"))
    assert load_settings(home=tmp_path).pack == "miniature"


def test_workers_that_share_a_home_have_locks_and_logs_of_their_own(tmp_path: Path) -> None:
    servers = {"broker_url": "redis://x", "qdrant_url": "http://x"}
    first, second = (load_settings(home=tmp_path, worker_name=name, **servers) for name in ("a.1", "b"))
    assert not first.one_worker_only
    assert first.worker_lock.name == "worker-a.1.lock"
    assert first.log_file.name == "worker-a.1.log"
    assert first.worker_lock != second.worker_lock
    assert load_settings(home=tmp_path, **servers).resolved_worker_name
    for name in servers:
        alone = load_settings(home=tmp_path, worker_name="a", **{**servers, name: ""})
        assert alone.one_worker_only
        assert alone.worker_lock.name == "worker.lock"
    with pytest.raises(InputError, match=r"worker_name is .*, but must be up to 64 letters"):
        load_settings(home=tmp_path, worker_name="a/b")


def test_artifacts_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(home=tmp_path).artifacts_folder == tmp_path / "artifacts"
    shared = load_settings(home=tmp_path / "home", artifacts="shared")
    assert shared.artifacts_folder == tmp_path / "shared"
    prepare_home(shared)
    assert (tmp_path / "shared").is_dir()


def test_an_address_that_is_not_usable_is_reported_in_one_line_that_names_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freeda.toml").write_text('qdrant_url = "http://host:6333?api-key=sesame"\n')
    (tmp_path / "address").write_text("redis://:ses/ame@host\n")
    told = []
    for variables in ({}, {"FREEDA_BROKER_URL_FILE": str(tmp_path / "address")}, {"FREEDA_DATABASE_URL": "sesame"}):
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            if variables:
                (tmp_path / "freeda.toml").unlink(missing_ok=True)
            with pytest.raises(InputError) as caught:
                load_settings(home=tmp_path)
        told.append(str(caught.value))
    assert told[0].startswith("freeda.toml: the address of the bank's server (qdrant_url) was given with a user, pass")
    assert told[1].startswith("the file that FREEDA_BROKER_URL_FILE names: broker_url has a port")
    assert told[2].startswith("environment: database_url is no address")
    assert [line for line in told if "ses" in line.replace("password", "") or "\n" in line] == []


@pytest.mark.parametrize("name", ["home", "packs", "input_roots", "pack"])
def test_an_address_where_a_folder_is_expected_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=rf"^settings: {name} must be a folder on this machine, not an address"
    ) as caught:
        load_settings(**{"home": tmp_path, name: "s3://me:sesame@bucket/x"})
    assert "sesame" not in str(caught.value)


def test_artifacts_may_be_in_a_bucket(tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path / "home", artifacts="s3://photos/team/freeda/", s3_endpoint="http://host:9000/"
    )
    assert (settings.artifacts, settings.s3_endpoint) == ("s3://photos/team/freeda", "http://host:9000")
    assert settings.artifacts_on_s3
    prepare_home(settings)
    copies = tmp_path / "home" / "artifact-copies"
    assert settings.artifacts_folder == copies  # not among artifacts of before
    assert copies.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "home" / "artifacts").exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"artifacts": "s3://me:sesame@bucket/x"}, "artifacts was given with a user, password or key"),
        ({"artifacts": "s3://bucket/x?key=sesame"}, "artifacts was given with a user, password or key"),
        ({"artifacts": "s3://"}, "artifacts names no bucket"),
        ({"artifacts": "s3://Bucket"}, "artifacts names no bucket"),
        ({"artifacts": "s3://bucket:80/x"}, "artifacts names no bucket"),
        ({"artifacts": "s3://bucket/../x"}, "artifacts has a prefix with other characters"),
        ({"artifacts": "s3://bucket/a b"}, "artifacts has a prefix with other characters"),
        ({"artifacts": "gs://bucket/x"}, "artifacts is an address whose scheme is not s3"),
        ({"artifacts": "s3:/bucket"}, "artifacts must be a folder on this machine"),
        (
            {"s3_endpoint": "http://me:sesame@host"},
            "the address of the S3-compatible storage (s3_endpoint) was given with",
        ),
        ({"s3_endpoint": "host:9000"}, "the address of the S3-compatible storage (s3_endpoint)"),
    ],
)
def test_buckets_that_are_refused(tmp_path: Path, given: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(home=tmp_path, **given)
    assert str(caught.value).startswith(f"settings: {reason}")
    assert "sesame" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_home_whose_name_is_not_utf_8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"FREEDA_HOME", b"/tmp/caf\xe9")
    with pytest.raises(InputError, match=r"^environment: home has a name that is not UTF-8 text \(/tmp/caf\\xe9\): "):
        load_settings()


def test_a_secrets_file_is_neither_empty_nor_the_secret_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("FREEDA_BROKER_URL_FILE", str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"^FREEDA_BROKER_URL_FILE: .*empty is empty: write the broker_url into it$"):
        load_settings(home=tmp_path)
    monkeypatch.setenv("FREEDA_BROKER_URL_FILE", "redis://:sesame@host")
    with pytest.raises(InputError, match=r"^FREEDA_BROKER_URL_FILE: the file it names cannot be read: No such file"):
        load_settings(home=tmp_path)
