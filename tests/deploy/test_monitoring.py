"""Dashboard, alerts and Prometheus' own configuration name what there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from freeda_svc.jobs.census import COUNTED_ITEM_STATES, COUNTED_JOB_STATES
from freeda_svc.jobs.states import AttemptOutcome, JobKind
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.metrics import WorkerMetrics
from freeda_svc.workers.metrics_reports import OUTCOMES, STAGES
from freeda_svc.workers.metrics_state import GAUGES
from tests.deploy.documents import COMPOSE, DEPLOY, read_compose, read_yaml

SERVICES = read_compose(COMPOSE)["services"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "freeda.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [rule for group in read_yaml(DEPLOY / "prometheus" / "alerts.yml")[0]["groups"] for rule in group["rules"]]
PROMETHEUS = read_yaml(DEPLOY / "prometheus" / "prometheus.yml")[0]
QUERIES = [
    *((f"alert {rule['alert']}", rule["expr"]) for rule in RULES),
    *((f"panel {panel['title']}", target["expr"]) for panel in PANELS for target in panel["targets"]),
]
ADDED_BY_PROMETHEUS = {"job", "instance"}


def _exported() -> dict[str, set[str]]:
    """Names of the series that a worker tells, with their labels."""
    registry = WorkerMetrics(load_settings(), ["ingest"]).registry
    labels = {name: set(given) for name, (_, given) in GAUGES.items()}
    for metric in list(registry._collector_to_names):  # noqa: SLF001 - nothing else lists them
        names = registry._collector_to_names[metric]  # noqa: SLF001 - as above
        own = set(metric._labelnames)  # noqa: SLF001 - as above
        given = {"worker", "version", "pack", "queues"} if type(metric).__name__ == "Info" else own
        labels |= {name: given | ({"le"} if name.endswith("_bucket") else set()) for name in names}
    return labels


EXPORTED = _exported()
VALUES = {
    "kind": set(JobKind),
    "stage": set(STAGES),
    "what": {"used", "total"},
    "outcome": {*OUTCOMES, *AttemptOutcome, "renewed"},
    "state": {*COUNTED_ITEM_STATES, *COUNTED_JOB_STATES},
    "job": {job["job_name"] for job in PROMETHEUS["scrape_configs"]},
}


def _selectors(part: Any) -> Iterator[Any]:  # noqa: ANN401 - the parser has no types
    """The series that a query reads."""
    if isinstance(part, promql_parser.VectorSelector):
        yield part
    for name in ("lhs", "rhs", "expr", "args", "param", "vector_selector"):
        inner = getattr(part, name, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, promql_parser.Expr):
                yield from _selectors(one)


@pytest.mark.parametrize(("place", "query"), QUERIES)
def test_every_query_reads_what_workers_tell(place: str, query: str) -> None:
    selectors = list(_selectors(promql_parser.parse(query)))
    assert {selector.name for selector in selectors} == set(re.findall(r"\b(?:freeda_\w+|up)\b", query))
    assert selectors
    for selector in selectors:
        labels = set() if selector.name == "up" else EXPORTED[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels | ADDED_BY_PROMETHEUS
            assert set(matcher.value.split("|")) <= VALUES[matcher.name]


@pytest.mark.parametrize(("place", "query"), QUERIES)
def test_every_grouping_is_by_a_label_that_there_is(place: str, query: str) -> None:
    labels = set().union(*(EXPORTED.get(selector.name, set()) for selector in _selectors(promql_parser.parse(query))))
    grouped = {
        name.strip() for group in re.findall(r"\b(?:by|on|ignoring) \(([^)]*)\)", query) for name in group.split(",")
    }
    assert grouped <= labels | ADDED_BY_PROMETHEUS


def test_every_number_that_workers_tell_is_looked_at() -> None:
    used = {selector.name for _, query in QUERIES for selector in _selectors(promql_parser.parse(query))}
    families = {re.sub(r"_(total|bucket|sum|count|created|info)$", "", name) for name in EXPORTED}
    assert families <= {re.sub(r"_(total|bucket|sum|count|info)$", "", name) for name in used}


def test_every_alert_is_explained_in_the_runbook() -> None:
    headings = re.findall(r"^#+ (.*)$", (DEPLOY / "runbook.md").read_text(), re.MULTILINE)
    assert {heading for heading in headings if heading.startswith("Freeda")} == {rule["alert"] for rule in RULES}
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["runbook"] == f"deploy/runbook.md#{rule['alert'].lower()}"
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert named <= {"kind", "instance", "device"}


def test_prometheus_asks_the_services_that_there_are() -> None:
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    [asked] = jobs["freeda"]["dns_sd_configs"]
    assert all(SERVICES[name]["environment"]["FREEDA_METRICS_PORT"] == str(asked["port"]) for name in asked["names"])
    assert set(asked["names"]) == {name for name, one in SERVICES.items() if one.get("command", [""])[0] == "worker"}
    [asked] = jobs["freeda-api"]["dns_sd_configs"]
    assert [SERVICES[name]["command"] for name in asked["names"]] == [["serve"]]
    assert asked["port"] == Settings.model_fields["api_port"].default
    key = jobs["freeda-api"]["authorization"]["credentials_file"]
    assert key.removeprefix("/run/secrets/") in SERVICES["prometheus"]["secrets"]
    key = jobs["qdrant"]["authorization"]["credentials_file"]
    assert key.removeprefix("/run/secrets/") in SERVICES["prometheus"]["secrets"]
    assert jobs["qdrant"]["static_configs"] == [{"targets": ["qdrant:6333"]}]
    for file in PROMETHEUS["rule_files"]:
        assert (DEPLOY / "prometheus" / file).is_file()


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [source] = read_yaml(provisioning / "datasources" / "prometheus.yml")[0]["datasources"]
    [provider] = read_yaml(provisioning / "dashboards" / "freeda.yml")[0]["providers"]
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES["grafana"]["volumes"]}
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    for panel in PANELS:
        assert {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])} == {
            source["uid"]
        }
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
