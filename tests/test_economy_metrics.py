"""The economy's part of /metrics: what the newest audit found, and nothing where there is none."""

import pytest
from django.db import close_old_connections
from prometheus_client.parser import text_string_to_metric_families

from bcraftd import economy, economymetrics
from bcraftd.models import EconomyAudit
from tests.audit_world import by_hand, everything_happens, register
from tests.servers import postgres_restart
from tests.support import Api, queries

Samples = dict[tuple[str, str], float]


@pytest.fixture
def played(world: None) -> None:
    everything_happens(register("ada"), register("bob"))


def scrape(text: str | None = None) -> Samples:
    """The economy's samples by name and kind."""
    if text is None:
        answer = Api().get("/metrics")
        assert answer.status_code == 200
        text = answer.content.decode()
    return {
        (sample.name.removeprefix("bcraftd_economy_"), sample.labels.get("kind", "")): sample.value
        for metric in text_string_to_metric_families(text)
        for sample in metric.samples
        if sample.name.startswith("bcraftd_economy_")
    }


def test_before_the_first_audit_there_is_nothing(world: None) -> None:
    assert scrape() == {}


def test_after_an_audit_every_kind_and_total_is_there(played: None) -> None:
    row = economy.record(economy.audit())

    samples = scrape()

    totals = {name: value for name, value in row.totals.items() if name != "problems"}
    assert samples == {
        **{("problems", check.kind): 0 for check in economy.declared()},
        **{(name, ""): value for name, value in totals.items()},
        ("audit_seconds", ""): pytest.approx(row.seconds),
        ("audit_timestamp_seconds", ""): pytest.approx(row.started_at.timestamp()),
    }
    assert samples["coins_minted", ""] == 2050


def test_problems_are_counted_by_kind_until_an_audit_finds_none(played: None) -> None:
    by_hand("UPDATE accounts_player SET coins = coins + 1")
    economy.record(economy.audit())

    found = {kind: value for (name, kind), value in scrape().items() if name == "problems" and value}
    assert found == {"balance_differs": 3}

    by_hand("UPDATE accounts_player SET coins = coins - 1")
    assert scrape()["problems", "balance_differs"] == 3, "it says what the newest audit found"
    economy.record(economy.audit())
    assert scrape()["problems", "balance_differs"] == 0


def test_a_kind_that_an_older_version_found_is_shown_still(world: None) -> None:
    report = economy.audit()
    EconomyAudit.objects.create(
        started_at=report.started_at, seconds=1, problem_count=2, problems=[], totals={"problems": {"gone": 2}}
    )

    assert scrape()["problems", "gone"] == 2


def test_a_scrape_asks_once_and_leaves_the_sentences_where_they_are(played: None) -> None:
    economy.record(economy.audit())

    with queries() as seen:
        scrape(economymetrics.render().decode())

    # The newest audit, without its problems.
    assert len(seen) == 1
    assert '"problems"' not in seen[0]


def test_without_postgresql_they_are_left_out(played: None) -> None:
    economy.record(economy.audit())
    postgres_restart()
    try:
        without: Samples = scrape(economymetrics.render().decode())
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    assert without == {}
    assert scrape() != {}
