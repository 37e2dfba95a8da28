"""The benchmark's own arithmetic and words, its command lines, and that its world can be played in. What it measures is
for `make bench`."""

import io
import json
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import tokens
from bcraftd import economy
from bcraftd.config import Config
from bcraftd.embedded.up import Run
from bench import __main__ as bench
from bench import capacity, load, plans, processes, report, scenarios, stack, tools, world
from tests.processes import wait_until
from tests.programs import ROOT
from tests.support import Api


def sample(rps: float, p50: float = 1.0, p99: float = 2.0, requests: int = 1000, **sql: int) -> dict[str, Any]:
    return {"rps": rps, "requests": requests, "latency": {"50": p50, "99": p99}, "sql": sql, "kinds": {}}


# Three rounds, of which the second was disturbed: it disturbed both.
MEASURED = {
    "read": {
        "date": "today",
        "rounds": [
            {"ours": sample(4000, p99=25), "prototype": sample(100, p50=500), "redis": sample(50_000)},
            {"ours": sample(2000, p99=60), "prototype": sample(50, p50=1000), "redis": sample(25_000)},
            {"ours": sample(4100, p99=25), "prototype": sample(100, p50=500), "redis": sample(50_000)},
        ],
    },
    "mix": {
        "date": "today",
        "rounds": [
            {
                "ours": sample(1000, SELECT=100, INSERT=50, BEGIN=70, TRIGGER=900),
                "off": sample(500, SELECT=1900, INSERT=100, COMMIT=500),
            }
        ],
    },
    "capacity": {"date": "today", "rounds": [{"ours": {"connections": 40}, "off": {"connections": 8}}]},
}
MACHINE = {
    "cores": 2, "cpu": "a processor", "memory_gib": 4, "system": "Linux", "python": "3.11.7",
    "versions": {"django": "5.2"},
}  # fmt: skip
RESULTS = {
    "date": "today", "commit": "abc", "machine": MACHINE, "scenarios": MEASURED,
    "failed": {"growth": "the disk is full"},
    "audit": {"totals": {"entries": 12_345, "movements": 678}}, **report.summary(MEASURED),
}  # fmt: skip


def test_ratios_are_medians_of_what_was_measured_within_a_round() -> None:
    ratios = RESULTS["ratios"]

    assert ratios["guarded_warm_vs_prototype"] == 40
    assert RESULTS["spread"]["guarded_warm_vs_prototype"] == [40, 41]
    assert ratios["redis_ceiling_share"] == 0.08
    # 0.15 statements for 2.0: what begins and ends a transaction, or is asked by a trigger, is none of them.
    assert ratios["mix_sql_saved"] == 0.925
    assert ratios["mix_rps_vs_off"] == 2
    assert ratios["capacity_vs_off"] == 5
    assert RESULTS["p99_vs_prototype_p50"] == 0.05


def test_every_ratio_is_named_also_where_it_was_not_measured() -> None:
    assert set(RESULTS["ratios"]) == {
        "guarded_warm_vs_prototype", "bare_warm_vs_prototype", "redis_ceiling_share", "mix_sql_saved",
        "mix_rps_vs_off", "median_saved_1conn", "capacity_vs_off", "buy_vs_orm", "buy_pgbench_share",
        "miss_vs_serializer", "miss_1m_vs_10k",
    }  # fmt: skip
    assert RESULTS["ratios"]["buy_pgbench_share"] is None
    assert json.loads(json.dumps(RESULTS))["ratios"] == RESULTS["ratios"]


def test_the_report_says_of_each_claim_and_target_whether_it_is_met() -> None:
    text = report.markdown(RESULTS)

    lines = {line.split(" | ")[0].strip("| `"): line for line in text.splitlines()}
    assert lines["70 % fewer database queries"].endswith("| 70.0 % | 92.5 % | yes |")
    assert lines["500 % more capacity"].endswith("| 6.00x | 5.00x | **no** |")
    assert lines["30 % shorter response time"].endswith("| not measured | - |")
    assert lines["guarded_warm_vs_prototype"].endswith("| at least 20.00x | 40.00x | 40.00x to 41.00x | yes |")
    assert lines["mix_rps_vs_off"].endswith("| at least 10.00x | 2.00x | 2.00x to 2.00x | **no** |")
    assert "12,345 ledger entries" in text
    assert "Not measured in this run: growth: the disk is full" in text


def test_the_report_is_put_between_its_markers_and_nowhere_else() -> None:
    page = f"# Mine\n\n{report.BEGIN}\nold\n{report.END}\n\n## Mine too\n"

    written = report.inserted(page, "new")

    assert written == f"# Mine\n\n{report.BEGIN}\n\nnew\n{report.END}\n\n## Mine too\n"
    assert report.inserted(written, "new") == written
    with pytest.raises(ValueError, match="one"):
        report.inserted("# Mine\n", "new")


def test_the_page_has_the_markers() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")

    assert "new" in report.inserted(page, "new")


def test_what_an_answer_took_is_counted_by_kind_and_status(tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text("".join(f"market 200 {us}\n" for us in range(1000, 101_000, 1000)) + "buy 409 7\n")
    found = {"us": 2e6, "requests": 101, "bytes": 4e6, "latency": {"50": 1}}

    counted = load._sample(found, load.Shot("", Path(), Path(), 64, 2, "run", answers))

    assert (counted["rps"], counted["mb_per_s"]) == (50.5, 2)
    assert counted["kinds"]["market:200"] == {"count": 100, "p50": 50, "p99": 99}
    assert counted["kinds"]["buy:409"] == {"count": 1, "p50": 0.007, "p99": 0.007}
    assert counted["latency"]["100"] == 100


@pytest.mark.parametrize("limit", [0, 1, 7, 8, 100, 3000])
def test_the_capacity_is_found_to_an_eighth(limit: int) -> None:
    tried: list[int] = []

    def holds(connections: int) -> bool:
        tried.append(connections)
        return connections <= limit

    found = scenarios.highest(holds, 2048)

    assert found <= limit
    assert found == min(limit, 2048) or limit - found <= max(1, found // 8)
    assert len(tried) <= 16


# --- The mix -------------------------------------------------------------------------------------------------

PLAYERS = [world.Player(number, f"session-{number}", 900, 901) for number in range(1, 101)]
# Listings have their resource's number in front; sellers are players.
OFFERS = {resource: [(resource * 1000 + n, 1 + n % 100) for n in range(60)] for resource in range(1, 51)}
WORLD = world.World(PLAYERS, OFFERS)


def test_the_mix_has_the_shares_that_it_says() -> None:
    steps = plans.mix(WORLD, 7, 100_000)

    shares = {kind: count / 1000 for kind, count in Counter(step.kind for step in steps).items()}
    wanted = {
        "market": 45, "inventory": 13.5, "known": 9, "board": 9, "sky": 9, "catalogue": 4.5,
        "buy": 7, "list": 2, "gather": 1,
    }  # fmt: skip
    assert shares == {kind: pytest.approx(share, rel=0.1) for kind, share in wanted.items()}
    assert {step.method for step in steps if step.kind in ("buy", "list", "gather")} == {"POST"}
    assert {step.key for step in steps if step.kind == "buy"} == {True}


def test_the_mix_asks_for_resources_by_zipfs_law_and_for_players_alike() -> None:
    steps = plans.mix(WORLD, 7, 100_000)

    pages = Counter(step.path for step in steps if step.kind == "market")
    bought = Counter(int(step.path.split("/")[4]) // 1000 for step in steps if step.kind == "buy")
    harmonic = sum(1 / rank for rank in range(1, 51))
    for rank in (1, 2, 5, 20):
        assert pages[plans.page(rank)] / pages.total() == pytest.approx(1 / rank / harmonic, rel=0.15)
    assert bought[1] / bought.total() == pytest.approx(1 / harmonic, rel=0.15)
    players = Counter(step.player for step in steps)
    assert set(players) == set(range(100))
    assert max(players.values()) < 1.3 * fmean(players.values())


def test_the_mix_is_the_same_for_the_same_seed_and_nobody_buys_from_themselves() -> None:
    steps = plans.mix(WORLD, 7, 20_000)

    assert steps == plans.mix(WORLD, 7, 20_000) != plans.mix(WORLD, 8, 20_000)
    sellers = {listing: seller for offers in OFFERS.values() for listing, seller in offers}
    for step in steps:
        if step.kind == "buy":
            assert step.player is not None
            assert PLAYERS[step.player].id != sellers[int(step.path.split("/")[4])]


def test_a_plan_has_a_step_a_line_and_six_parts_in_each(tmp_path: Path) -> None:
    steps = [*plans.mix(WORLD, 7, 500), *plans.bare_reads(WORLD)]

    lines = plans.write(tmp_path / "plan", steps).read_text().splitlines()

    assert len(lines) == len(steps)
    assert {line.count("\t") for line in lines} == {5}
    assert lines[-1] == "market\t0\tGET\t/api/market/listings?resource_id=1\t0\t"


def test_every_miss_is_another_page() -> None:
    paths = [step.path for step in plans.misses(WORLD, 5000)]

    assert len(set(paths)) == 5000
    assert all(one.split("&")[0] != other.split("&")[0] for one, other in pairwise(paths))


@pytest.fixture
def played(world: None) -> Any:
    return _world_of(listings=300, players=60)


def _world_of(*, listings: int, players: int) -> world.World:
    with transaction.atomic(), connection.cursor() as cursor:
        world.make(cursor, world.played(listings, players))
    with transaction.atomic(), connection.cursor() as cursor:
        world.make_playable(cursor)
    with connection.cursor() as cursor:
        return world.look(cursor)


def test_the_world_is_whole_and_everything_that_the_mix_asks_is_answered(played: world.World) -> None:
    assert (len(played.players), len(played.resources)) == (60, world.KINDS)
    assert economy.audit().problems == []
    # The first step of each kind.
    steps = {step.kind: step for step in reversed(plans.mix(played, 7, 1000))}
    assert set(steps) == {*plans.READS, *plans.WRITES}
    for kind, step in steps.items():
        assert step.player is not None
        player = played.players[step.player]
        pair = tokens.issue(player_id=player.id, session_id=player.session_id, refresh_id="0")

        answer = Api(pair.access_token).call(step.method, step.path, raw=step.body.encode())

        assert answer.status_code == (201 if kind == "list" else 200), (kind, answer.content)
    assert economy.audit().problems == []


# --- What starts ---------------------------------------------------------------------------------------------


def test_our_server_is_started_as_make_up_starts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"BIND": "127.0.0.1", "PORT": "8000", "WEB_WORKERS": "1"}.items():
        monkeypatch.setenv(name, value)
    with (tmp_path / "lock").open("w") as lock:
        theirs = Run(Config(), lock)._granian()

    assert sorted(stack.granian("bcraftd.wsgi:application", 8000)) == sorted(theirs)


def test_without_the_programs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "HOME", tmp_path)
    said = io.StringIO()
    monkeypatch.setattr(bench.console, "file", said)

    status = bench.main(["--quick"])

    assert status == 2
    assert "needs wrk and redis-benchmark" in said.getvalue()
    assert "apt install wrk redis-tools" in said.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_only_scenarios_that_there_are_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.arguments(["--only", "read,mix"]).only == ["read", "mix"]
    assert "growth" not in bench.arguments(["--quick"]).only
    with pytest.raises(SystemExit):
        bench.arguments(["--only", "reed"])
    assert "no such scenario: reed" in capsys.readouterr().err


# --- Capacity ---------------------------------------------------------------------------------------------


def test_the_page_says_what_was_measured_and_what_follows_from_it() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    results = capacity.read()
    assert capacity.measured_table(results) in page
    assert capacity.table(capacity.Each.measured(results)) in page
    # What two processes would answer with cores for everybody: each takes no more CPU for a read than one alone.
    alone, beside = (results["each"]["read"][number]["api"] for number in ("1", "2"))
    assert 2 * alone / beside >= 1.8


def test_needs_grow_with_the_players_and_two_processes_are_the_least() -> None:
    each = capacity.Each(api=2, redis=0.3, postgresql=0.6, commands=15, rows=0.7, log=300, data=100, player=2_000,
                         process=100)  # fmt: skip
    few, many = capacity.need(1_000, each), capacity.need(100_000, each)
    assert (few.processes, few.requests) == (2, 20)
    assert many.requests == 2_000
    assert many.api_cores == pytest.approx(2_000 * 0.002 / 0.6)
    assert many.processes == 7
    assert many.redis == pytest.approx(0.6)
    assert many.rows == pytest.approx(1_400)
    assert many.redis_gb == pytest.approx(0.2)
    assert many.data_gb == pytest.approx(100_000 * 720 * 100 / 1e9)
    assert capacity.most_players(each) == 100_000
    calm = capacity.need(100_000, each, capacity.Habits(pause=10))
    assert calm.requests == 1_000


SPIN = "import time, sys; end = float(sys.argv[1])\nwhile time.process_time() < end: pass"


def test_what_ended_children_took_is_counted_too() -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}, '0.3']); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as program:
        wait_until(lambda: processes.cpu_seconds(program.pid) >= 0.3, "the child's time is its parent's")
        wait_until(lambda: processes.family(program.pid) == [program.pid], "the child is gone")
        assert processes.resident_mib(program.pid) > 1
        program.communicate(b"\n")


@pytest.mark.skipif(not processes.can_limit(), reason="control groups of the first kind are not ours to make here")
def test_a_limited_process_has_no_more_than_its_share_and_afterwards_all_again() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN, "60"]) as program:
        try:
            wait_until(lambda: processes.cpu_seconds(program.pid) > 0.1, "it runs")
            with processes.limited([program.pid], 0.2):
                began, before = time.monotonic(), processes.cpu_seconds(program.pid)
                time.sleep(1)
                # A share more, for the period in which it began.
                most = 0.2 * (time.monotonic() - began) + 0.1
                assert processes.cpu_seconds(program.pid) - before <= most
            groups = Path(f"/proc/{program.pid}/cgroup").read_text(encoding="ascii")
            assert "bcraftd-" not in groups
        finally:
            program.kill()
