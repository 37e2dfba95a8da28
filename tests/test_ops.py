"""What ops/ has for Prometheus and Grafana: it is valid, it rings for what it says, and no name in it is made up."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bcraftd import economy, replicas
from bcraftd.schedules import declared
from leaderboard.services import leaderboard_refresh
from tests.live import server
from tests.programs import ROOT
from tests.scrapes import Samples, scrape
from tests.support import Api
from tests.test_docs import anchors, rows, words
from tests.test_metrics_work import ran
from tests.tools import tool

OPS = ROOT / "ops"
RULES = OPS / "prometheus" / "alerts.yml"
TESTS = OPS / "prometheus" / "alerts_test.yml"
CONFIG = OPS / "prometheus" / "prometheus.yml"
BOARD: dict[str, Any] = json.loads((OPS / "grafana" / "bcraftd.json").read_text(encoding="utf-8"))
ROWS = [
    "Traffic",
    "Latency",
    "Cache",
    "Redis, breaker and outbox",
    "PostgreSQL",
    "Worker and schedules",
    "Economy",
    "Backups",
]
# They are there from the first backup on.
OF_BACKUPS = {f"bcraftd_backup_{name}" for name in ("ok", "timestamp_seconds", "bytes", "seconds")}
NAME = re.compile(r"bcraftd_[a-z_]+")


def alerts() -> list[dict[str, Any]]:
    groups: Any = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Those that show something: rows are headings."""
    return [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Everything that the dashboard asks, as Prometheus gets it."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked += [each["expr"] for each in BOARD["annotations"]["list"]]
    return [each.replace("$__rate_interval", "5m").replace("$job", "bcraftd") for each in asked]


def promtool(*words: str | Path) -> str:
    done = subprocess.run([tool("promtool"), *words], capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "FAILED" not in said
    return said


# --- Prometheus -------------------------------------------------------------------------------------------


def test_promtool_takes_the_rules() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", RULES)


def test_promtool_takes_the_scrape_configuration(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    (tmp_path / "alerts.yml").write_text(RULES.read_text())
    text = CONFIG.read_text(encoding="utf-8")
    (file,) = re.findall(r"credentials_file: (\S+)", text)
    (tmp_path / "prometheus.yml").write_text(text.replace(file, str(token)))

    promtool("check", "config", tmp_path / "prometheus.yml")


def test_each_alert_rings_for_its_fault_and_for_no_other() -> None:
    promtool("test", "rules", TESTS)
    tried = set(re.findall(r'alertname="(\w+)", instance="\1"', TESTS.read_text(encoding="utf-8")))
    assert tried == {rule["alert"] for rule in alerts()}


def test_each_alert_says_how_bad_it_is_and_where_the_mend_stands() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        (link,) = re.findall(r"docs/(?:troubleshooting|economy)\.md#\S+$", rule["annotations"]["description"])
        page, _, anchor = link.partition("#")
        assert not (ROOT / page).exists() or anchor in anchors((ROOT / page).read_text(encoding="utf-8")), link


# --- Grafana ----------------------------------------------------------------------------------------------


def test_promtool_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_the_dashboard_has_its_rows_and_every_panel_is_whole() -> None:
    assert [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"] == ROWS
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)


def test_every_panel_asks_the_chosen_prometheus_about_the_chosen_job() -> None:
    assert [each["type"] for each in BOARD["templating"]["list"]] == ["datasource", "query"]
    for panel in panels():
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            of_job = len(re.findall(r"\b(bcraftd_[a-z_]+|up)\{", target["expr"]))
            assert target["expr"].count('job="$job"') == of_job
            assert of_job or "ALERTS" in target["expr"], target["expr"]


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        where = panel["gridPos"]
        cells = {(where["x"] + right, where["y"] + down) for right in range(where["w"]) for down in range(where["h"])}
        assert not cells & taken, panel["title"]
        assert where["x"] + where["w"] <= 24
        taken |= cells


# --- What there is to ask for -----------------------------------------------------------------------------


@pytest.fixture
def exported(ada: Api) -> Iterator[Samples]:
    """A scrape of a live server where everything has happened once."""
    leaderboard_refresh(wait=True)
    economy.record(economy.audit())
    for each in declared():
        ran(each.name, minutes_ago=1)
    with server(LOG_LEVEL="ERROR") as url:
        scrape(url)
        yield scrape(url)


def test_every_name_in_the_dashboard_and_the_rules_is_exported(exported: Samples) -> None:
    names = {name for name, _ in exported}
    used = {name for expr in (*expressions(), *(rule["expr"] for rule in alerts())) for name in NAME.findall(expr)}
    tried = set(NAME.findall(TESTS.read_text(encoding="utf-8")))

    assert len(used) > 50
    assert used - names - OF_BACKUPS == set()
    assert tried - names - OF_BACKUPS == set()


def test_every_label_in_the_dashboard_and_the_rules_is_exported(exported: Samples) -> None:
    has: dict[str, set[str]] = {}
    for name, labels in exported:
        has.setdefault(name, {"job", "instance"}).update(dict(labels))
    for expr in (*expressions(), *(rule["expr"] for rule in alerts())):
        for name, matchers in re.findall(r"(bcraftd_[a-z_]+)\{([^}]*(?:\{listing_id\}[^}]*)?)\}", expr):
            assert set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', matchers)) <= has.get(name, {"job"}), expr


# --- docs/metrics.md --------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
SECTIONS = ["Requests", "Cache", "Redis and the outbox", "PostgreSQL", "Worker", "Economy"]


def test_the_page_names_every_metric_with_its_type_and_labels_and_no_other(exported: Samples) -> None:
    found: dict[str, tuple[str, set[str]]] = {}
    for name, labels in exported:
        if name.startswith("bcraftd_"):
            base = re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name)
            kind = "histogram" if base != name else "counter" if name.endswith("_total") else "gauge"
            found.setdefault(base, (kind, set()))[1].update(set(dict(labels)) - {"le"})

    documented = {
        words(name)[0]: (kind, set(words(labels)))
        for section in SECTIONS
        for name, kind, labels, _ in rows(PAGE, f"### {section}")
    }

    assert documented == found
    of_replicas = {(name, kind, *words(labels)) for name, kind, labels, _ in rows(PAGE, "### Replicas")}
    (metric,) = replicas.READS.describe()
    assert of_replicas == {(f"`{metric.name}_total`", metric.type, *replicas.READS._labelnames)}
    (backups,) = re.findall(r"(?s)### Backups\n(.*?)\n## ", PAGE)
    assert set(NAME.findall(backups)) == OF_BACKUPS


def test_nothing_else_is_exported_but_what_the_library_says_of_the_process(exported: Samples) -> None:
    assert {name.partition("_")[0] for name, _ in exported} == {"bcraftd", "python", "process"}


def test_the_page_names_every_alert_with_its_severity_and_no_other() -> None:
    documented = [(words(name)[0], severity) for name, severity, _ in rows(PAGE, "## Alerts")]
    assert documented == [(rule["alert"], rule["labels"]["severity"]) for rule in alerts()]
