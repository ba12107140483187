"""The compose files, without a container engine: their form, and what they promise."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from freeda_svc.api.access import keys_needed
from freeda_svc.cli.main import freeda
from freeda_svc.settings import Settings
from freeda_svc.workers.app import check_queues
from freeda_svc.workers.messages import QUEUES
from tests.deploy.documents import COMPOSE, DEPLOY, ROOT, read_compose, seconds, settings_named

Service = dict[str, Any]
FILES = [COMPOSE, *sorted(DEPLOY.glob("compose.*.yaml"))]
BASE = read_compose(COMPOSE)
MACHINE = read_compose(DEPLOY / "compose.worker.yaml")
SERVICES: dict[str, Service] = {**BASE["services"], **MACHINE["services"]}
ENDING = ("migrate", "cli")
WORKERS = [name for name, service in SERVICES.items() if service.get("command", [""])[0] == "worker"]
_LINES = (DEPLOY / "example.env").read_text().splitlines()
EXAMPLE = dict(line.split("=", 1) for line in _LINES if line and not line.startswith("#"))
COMMENTED = [line[1:].split("=")[0] for line in _LINES if re.match(r"#[A-Z_]+=", line)]
VARIABLE = re.compile(r"\$\{(\w+)(?::-((?:[^{}]|\$\{[^}]*\})*)|:\?[^}]*)?\}")
SECRET_WORDS = re.compile(r"(?i)password|passwd|secret|token|api_?key|credential|://[^/\s:]*:[^/\s@]+@")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_of_the_form_that_compose_publishes(path: Path) -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(read_compose(path), schema, cls=jsonschema.Draft7Validator)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_that_stays_is_asked_for_its_health(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name in ENDING:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] == "no"
    else:
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert seconds(check["timeout"]) <= seconds(check["interval"])
        assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_locked_up(name: str) -> None:
    service = SERVICES[name]
    user = service["user"].partition(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service["volumes"] if volume)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_of_one_version(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.match(r"(\$\{FREEDA_VERSION:-)?v?\d+\.\d+", tag), tag


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "environment" in service])
def test_settings_that_are_named_exist_and_have_such_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = SERVICES[name]["environment"]
    named = settings_named(list(environment))
    values = {
        key.removeprefix("FREEDA_").lower(): value
        for key, value in environment.items()
        if key.startswith("FREEDA_") and not key.endswith("_FILE") and "${" not in value
    }
    Settings(**values)
    assert named >= {"artifacts", "packs", "qdrant_url", "broker_url", "database_url"} or not named


@pytest.mark.parametrize("name", WORKERS)
def test_workers_are_given_longer_to_stop_than_they_take(name: str) -> None:
    service = SERVICES[name]
    grace = float(service["environment"]["FREEDA_STOP_GRACE_SECONDS"])
    assert grace >= Settings.model_fields["stop_grace_seconds"].default
    assert seconds(service["stop_grace_period"]) >= grace + 30


@pytest.mark.parametrize("name", WORKERS)
def test_workers_have_a_card_each_and_share_artifacts(name: str) -> None:
    [device] = SERVICES[name]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert len(device["device_ids"]) == 1
    assert "artifacts:/var/lib/freeda/artifacts" in SERVICES[name]["volumes"]
    assert SERVICES[name]["environment"]["FREEDA_ARTIFACTS"] == "/var/lib/freeda/artifacts"


def test_cards_of_one_file_differ() -> None:
    for document in (BASE, MACHINE):
        cards = [
            service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"][0]
            for service in document["services"].values()
            if "deploy" in service
        ]
        assert len(set(cards)) == len(cards) == 2


def test_all_queues_are_served_by_commands_that_exist() -> None:
    served: list[str] = []
    for name in WORKERS:
        command = SERVICES[name]["command"]
        queues = command[2::2]
        assert command[1::2] == ["--queue"] * len(queues)
        assert set(queues) <= set(check_queues(queues))
        served += check_queues(queues) if name in BASE["services"] else []
        assert CliRunner().invoke(freeda, [*command, "--help"]).exit_code == 0
    assert sorted(served) == sorted(QUEUES)
    assert CliRunner().invoke(freeda, [*SERVICES["migrate"]["command"], "--help"]).exit_code == 0


def test_workers_wait_for_servers_and_for_the_schema() -> None:
    for name in ("generation", "segmentation"):
        conditions = {part: how["condition"] for part, how in SERVICES[name]["depends_on"].items()}
        assert conditions == {
            "redis": "service_healthy",
            "qdrant": "service_healthy",
            "migrate": "service_completed_successfully",
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_api_asks_for_keys_and_is_asked_for_its_health() -> None:
    api = BASE["services"]["api"]
    assert api["profiles"] == ["api"]  # it does not start before there is a key
    assert CliRunner().invoke(freeda, [*api["command"], "--help"]).exit_code == 0
    assert keys_needed(Settings(api_host=api["environment"]["FREEDA_API_HOST"]))
    [port] = api["ports"]
    assert port.endswith(f":{Settings.model_fields['api_port'].default}")
    assert api["healthcheck"]["test"] == ["CMD", "python", "/opt/freeda/health.py", "api"]
    assert set(api["depends_on"]) == {"redis", "qdrant", "migrate"}
    assert set(api["networks"]) == {"data", "outside"}  # ports of a network that is internal lead nowhere
    assert "deploy" not in api


def test_uploads_lie_on_a_disk_and_where_the_server_looks() -> None:
    api = BASE["services"]["api"]
    home = api["environment"]["FREEDA_HOME"]
    assert f"api-home:{home}" in [volume.partition("  ")[0] for volume in api["volumes"]]
    assert not any(place.startswith(home) for place in api["tmpfs"])
    assert {"artifacts:/var/lib/freeda/artifacts", "packs:/var/lib/freeda/packs:ro"} < set(api["volumes"])
    assert Settings(home=home).uploads_folder.is_relative_to(home)


def test_the_broker_keeps_what_it_takes() -> None:
    script = SERVICES["redis"]["command"][-1]
    assert "--appendonly yes" in script
    assert "--maxmemory-policy noeviction" in script
    assert "requirepass" in script


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_holds_a_secret(path: Path) -> None:
    document = read_compose(path)
    for name, secret in document.get("secrets", {}).items():
        assert set(secret) == {"file"}
        assert secret["file"].endswith(f"/{name}")
        assert ("dev-secrets" in secret["file"]) == (path.name == "compose.dev.yaml")
    for service in document["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET_WORDS.search(name) or name.endswith("_FILE"):
                assert value.startswith("/run/secrets/"), name
                assert value.removeprefix("/run/secrets/") in service["secrets"]
            assert not SECRET_WORDS.search(value.partition("://")[2]), name


def test_servers_are_reached_from_this_machine_only_unless_a_file_says_otherwise() -> None:
    for service in BASE["services"].values():
        assert all(port.startswith(("127.0.0.1:", "${API_ADDRESS:-127.0.0.1}:")) for port in service.get("ports", []))
    assert EXAMPLE["API_ADDRESS"] == "127.0.0.1"
    assert BASE["networks"]["data"]["internal"] is True
    for name in ("redis", "postgres", "qdrant"):
        assert BASE["services"][name]["networks"] == ["data"]
        assert "ports" not in BASE["services"][name]


def test_files_and_folders_that_are_mounted_are_there() -> None:
    for path, document in ((COMPOSE, BASE), (DEPLOY / "compose.worker.yaml", MACHINE)):
        named = set(document["volumes"])
        for service in document["services"].values():
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                if source.startswith("."):
                    assert (path.parent / source).is_dir(), source
                elif not source.startswith("${"):
                    assert source in named
        builds = [service["build"] for service in document["services"].values() if "build" in service]
        assert {(path.parent / build["context"] / build["dockerfile"]).resolve() for build in builds} == {
            ROOT / "deploy" / "Dockerfile"
        }


@pytest.mark.parametrize("name", ["cpu", "dev", "private"])
def test_what_a_file_overrides_is_there(name: str) -> None:
    override = read_compose(DEPLOY / f"compose.{name}.yaml")
    for section in ("services", "volumes", "secrets"):
        assert set(override.get(section, {})) <= set(BASE[section])


def test_without_cards_no_worker_asks_for_one() -> None:
    override = read_compose(DEPLOY / "compose.cpu.yaml")["services"]
    for name in ("generation", "segmentation"):
        assert override[name]["deploy"] is None
        assert override[name]["environment"] == {"FREEDA_DEVICE": "cpu"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_limit_of_memory(name: str) -> None:
    assert re.fullmatch(r"(\$\{\w+_MEMORY:-)?\d+[mg]\}?", SERVICES[name]["mem_limit"])


def test_redis_refuses_messages_before_it_is_ended() -> None:
    assert EXAMPLE["REDIS_MAXMEMORY"] == "1gb"
    assert EXAMPLE["REDIS_MEMORY"] == "2g"  # twice as much: its file is written anew by a second process


def test_the_example_has_every_value_and_its_default() -> None:
    used: dict[str, set[str]] = {}
    for path in FILES:
        for name, default in re.findall(
            r"\$\{(\w+)(?::-((?:[^{}]|\$\{[^}]*\})*)|:\?[^}]*)?\}", _without_comments(path)
        ):
            used.setdefault(name, set()).add(default)
    used["SERVER_ADDRESS"] = {""}  # inside of another one's default
    assert set(used) == {*EXAMPLE, *COMMENTED} - {"COMPOSE_FILE", "COMPOSE_PROFILES"}
    for name in set(used) & set(EXAMPLE):
        defaults = {default.replace("./secrets", "./deploy/secrets") for default in used[name]} - {""}
        assert defaults <= {EXAMPLE[name]}, name
    assert not any(
        SECRET_WORDS.search(f"{name}={value}") for name, value in EXAMPLE.items() if name != "FREEDA_SECRETS"
    )
    assert all((ROOT / file).is_file() for file in EXAMPLE["COMPOSE_FILE"].split(":"))


def test_without_a_file_of_values_no_pack_is_guessed() -> None:
    for document in (BASE, MACHINE):
        packs = {
            service["environment"]["FREEDA_PACK"] for service in document["services"].values() if _is_ours(service)
        }
        assert {pack.partition(":?")[0] for pack in packs} == {"${FREEDA_PACK"}
    assert EXAMPLE["FREEDA_PACK"] == Settings.model_fields["pack"].default


def _is_ours(service: Service) -> bool:
    return "FREEDA_PACK" in service.get("environment", {})


def _without_comments(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
