"""manage.py simulate against a live API: what it counts, what it takes for wrong, how it ends."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from aiohttp import web
from django.core.management import CommandError, call_command

from accounts.models import Player, PlayerSession
from bcraftd import economy
from bcraftd.simulation import accounts, run
from bcraftd.simulation.habits import MIX
from market.models import Listing, Trade
from tests import live, programs
from tests.cache_audits import audited
from tests.meddler import Meddle, meddler
from tests.test_commands_cache_audit import Terminal

QUICK = ("--think", "0.05", "--seed", "7")
Pass = Callable[[], Awaitable[web.Response]]


@pytest.fixture
def url(world: None) -> Iterator[str]:
    """An API of which nothing is limited."""
    with live.server() as address:
        yield address


def played(url: str, *words: str, players: int = 8, seconds: int = 4) -> tuple[dict[str, Any], str]:
    """The summary, and the sentence with which the command failed, "" where it did not."""
    out, failure = StringIO(), ""
    try:
        call_command(
            "simulate", "--players", str(players), "--seconds", str(seconds), "--url", url, "--json", *QUICK, *words,
            stdout=out,
        )  # fmt: skip
    except CommandError as error:
        failure = str(error)
    return json.loads(out.getvalue()) if out.getvalue() else {}, failure


def test_bots_play_and_nothing_that_they_see_contradicts_what_they_did(url: str) -> None:
    report, failure = played(url, "--accounts", "services", seconds=8)

    assert (failure, report["violations"]) == ("", [])
    assert sum(report["players"].values()) == 8
    assert {"gather", "list", "market", "inventory", "me"} <= set(report["actions"])
    assert report["requests"] == sum(row["requests"] for row in report["actions"].values())
    assert report["requests"] == sum(report["statuses"].values()) == sum(row["requests"] for row in report["timeline"])
    assert [row["second"] for row in report["timeline"]] == list(range(len(report["timeline"])))
    assert 8 <= len(report["timeline"]) <= 20
    assert not any(row["server_errors"] or row["broken"] or row["unavailable"] for row in report["timeline"])
    assert report["actions"]["gather"]["hit_rate"] is None
    assert 0 < report["hit_rate"] < 1
    assert report["not_modified"] == report["statuses"]["304"] > 0
    latency = report["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]
    # What was played is there, and whole.
    assert Listing.objects.count() >= report["actions"]["list"]["requests"] - sum(
        report["actions"]["list"]["errors"].values()
    )
    assert economy.audit().counts == {}
    assert audited()[0]["differences"] == []


def test_over_http_alone_bots_register_and_log_in_like_everybody(url: str) -> None:
    report, failure = played(url, players=3, seconds=5)

    assert failure == ""
    assert report["actions"]["register"]["requests"] == report["actions"]["login"]["requests"] == 3
    assert Player.objects.filter(login__startswith="bot-").count() == 3
    assert economy.audit().counts == {}


def test_it_waits_where_a_limit_says_so(world: None) -> None:
    with live.server(RATE_LIMIT_DEFAULT="10/m", RATE_LIMIT_REGISTER="2/h") as url:
        report, failure = played(url, "--accounts", "services", players=2, seconds=6)
        strangers, _ = played(url, players=3, seconds=4)

    assert (failure, report["violations"]) == ("", [])
    # After its first refusal nobody asks again before the window's end, which comes once at most in so short a time.
    assert 2 <= report["errors"]["rate_limited"] <= 4
    assert report["requests"] - report["errors"]["rate_limited"] in (20, 30, 40)
    # Two of them were let in, and the third one waits in the queue.
    assert sum(strangers["players"].values()) == 2
    assert strangers["actions"]["register"]["errors"] == {"rate_limited": 1}
    assert strangers["violation_count"] == 0


def test_a_seed_draws_the_same_decisions_for_who_sees_the_same(url: str) -> None:
    lurking = ("--accounts", "services", "--mix", "lurker=1")
    first, second = [played(url, *lurking, players=2, seconds=3)[0]["actions"] for _ in range(2)]

    assert first.keys() == second.keys()
    assert not first.keys() & {"gather", "craft", "list", "buy", "join"}


# --- An API that is not what it should be -----------------------------------------------------------------


def meddled(url: str, meddle: Meddle, *words: str) -> tuple[dict[str, Any], str]:
    with meddler(url, meddle) as between:
        return played(between, "--accounts", "services", *words)


def changed(answer: web.Response, change: Callable[[Any], object]) -> web.Response:
    """An answer with another body."""
    assert isinstance(answer.body, bytes)
    body = json.loads(answer.body)
    change(body)
    answer.body = json.dumps(body).encode()
    return answer


async def loses_items(request: web.Request, passed: Pass) -> web.Response:
    answer = await passed()
    if request.path == "/api/inventory" and answer.status == 200:
        return changed(
            answer, lambda body: [row.update(quantity=max(row["quantity"] - 1, 1)) for row in body["inventory"]]
        )
    return answer


async def takes_coins(request: web.Request, passed: Pass) -> web.Response:
    answer = await passed()
    return changed(answer, lambda body: body.update(coins=-5)) if request.path == "/api/auth/me" else answer


async def is_cut_off(request: web.Request, passed: Pass) -> web.Response:
    answer = await passed()
    if request.path == "/api/environment/current" and answer.status == 200:
        assert isinstance(answer.body, bytes)
        answer.body = answer.body[:-5]
    return answer


async def breaks(request: web.Request, passed: Pass) -> web.Response:
    return web.Response(status=500, text="oops") if request.path == "/api/leaderboard" else await passed()


async def refuses(request: web.Request, passed: Pass) -> web.Response:
    if request.path != "/api/gather":
        return await passed()
    return web.json_response({"code": "invalid", "detail": "No."}, status=400, content_type="application/problem+json")


@pytest.mark.parametrize(
    ("meddle", "action", "says"),
    [
        (loses_items, "inventory", r"there are \d+ of resource \d+, and should be \d+"),
        (takes_coins, "me", r"there are -5 coins"),
        (is_cut_off, "sky", r"the body is no object"),
        (breaks, "board", r"GET /api/leaderboard\S* was answered 500 None"),
        (refuses, "gather", r"POST /api/gather was answered 400 invalid: No\."),
    ],
)
def test_what_must_not_be_is_counted_and_named_and_makes_it_fail(
    url: str, meddle: Meddle, action: str, says: str
) -> None:
    report, failure = meddled(url, meddle)

    assert failure == f"Violations: {report['violation_count']}. docs/worlds.md says what they are."
    assert report["violation_count"] == sum(row["violations"] for row in report["timeline"])
    assert report["violations"]
    for row in report["violations"]:
        assert row["action"] == action, row
        assert re.fullmatch(says, row["detail"]), row
        assert row["player"].startswith("bot-")
    assert sum(row["server_errors"] for row in report["timeline"]) == report["statuses"].get("500", 0)


def test_a_lost_answer_is_asked_for_again_under_its_key_and_each_effect_is_there_once(url: str) -> None:
    chance = random.Random(5)
    done: Counter[str] = Counter()

    async def hangs_up(request: web.Request, passed: Pass) -> web.Response | None:
        answer = await passed()
        lost = request.method == "POST" and request.path != "/api/auth/refresh" and chance.random() < 0.3
        done["lost"] += lost
        done["replayed"] += answer.headers.get("Idempotent-Replayed") == "true"
        return None if lost else answer

    report, failure = meddled(url, hangs_up)

    assert (failure, report["violations"]) == ("", [])
    assert done["replayed"] > 0
    assert report["errors"]["no_answer"] >= done["replayed"]
    assert sum(row["broken"] for row in report["timeline"]) == report["errors"]["no_answer"]
    assert economy.audit().counts == {}


def test_an_api_that_is_away_for_a_while_is_waited_for(url: str) -> None:
    first: list[float] = []

    async def is_away(request: web.Request, passed: Pass) -> web.Response:
        if request.path == "/healthz":
            return await passed()
        first.append(time.monotonic())
        if not 1 < time.monotonic() - first[0] < 2:
            return await passed()
        return web.json_response({"code": "service_unavailable"}, status=503, headers={"Retry-After": "1"})

    report, failure = meddled(url, is_away)

    assert (failure, report["violations"]) == ("", [])
    away = sum(row["unavailable"] for row in report["timeline"])
    assert away == report["statuses"].get("503", 0) == report["errors"].get("service_unavailable", 0)
    # Everybody at most a few times: they do as Retry-After says.
    assert 0 < away <= 16
    assert report["timeline"][-2]["requests"] > 0


# --- Sessions ---------------------------------------------------------------------------------------------


def simulated(url: str, found: list[Any]) -> dict[str, Any]:
    return run.simulate(run.Plan(url, 3, 0.05, MIX, "7"), found)


def test_a_token_that_runs_out_is_renewed(url: str) -> None:
    found = accounts.opened(3)
    for account in found:
        account.expires_in = 0

    report = simulated(url, found)

    assert report["violations"] == []
    assert report["actions"]["refresh"]["requests"] == 3
    assert "login" not in report["actions"]
    assert "401" not in report["statuses"]


def test_who_was_signed_out_signs_in_again(url: str) -> None:
    found = accounts.opened(3)
    PlayerSession.objects.all().delete()

    report = simulated(url, found)

    assert report["violations"] == []
    assert report["actions"]["login"]["requests"] == 3
    assert sum(report["players"].values()) == 3


def test_who_is_not_let_in_is_told(url: str) -> None:
    found = accounts.opened(2)
    Player.objects.filter(login=found[0].login).update(is_active=False)

    report = simulated(url, found)

    assert [(row["player"], row["action"], row["detail"]) for row in report["violations"]] == [
        (found[0].login, "sign in", "logging in: 401 bad_credentials")
    ]


# --- The command ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_its_summary(url: str, number: signal.Signals) -> None:
    words = ["--players", "4", "--seconds", "600", "--url", url, "--accounts", "services", "--json", *QUICK]
    running = subprocess.Popen(
        [sys.executable, "manage.py", "simulate", *words], cwd=programs.ROOT, env=programs.environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            if Trade.objects.exists() or Listing.objects.exists():
                break
            time.sleep(0.1)
        running.send_signal(number)
        said, complained = running.communicate(timeout=60)
    finally:
        running.kill()

    assert running.returncode == 0, complained
    assert 0 < json.loads(said)["seconds"] < 300
    assert economy.audit().counts == {}


def test_for_people_it_is_a_table_that_lives_and_one_that_stays(url: str) -> None:
    screen = Terminal()

    call_command(
        "simulate", "--players", "3", "--seconds", "3", "--url", url, "--accounts", "services", *QUICK, stdout=screen
    )

    text = screen.getvalue()
    assert "s to go" in text
    last = text[text.rindex("requests/s") :]
    assert "violations: 0" in last
    assert re.search(r"all +\d+ +[\d.]+ +[\d.]+", last)


def test_where_nothing_answers_it_says_so_and_opens_no_account(world: None) -> None:
    report, failure = played("http://127.0.0.1:1", "--accounts", "services")

    assert report == {}
    assert failure.startswith("There is nothing to play on: http://127.0.0.1:1 does not answer")
    assert not Player.objects.exists()


def test_where_nobody_is_let_in_it_fails(world: None) -> None:
    with live.server(RATE_LIMIT_LOGIN="1/h", RATE_LIMIT_REGISTER="1/h") as url:
        played(url, players=1, seconds=2)
        report, failure = played(url, players=1, seconds=2)

    assert failure == "Nobody has played: no bot was let in."
    assert report["players"] == {}


@pytest.mark.parametrize(
    "words",
    [("--url", "127.0.0.1:8000"), ("--url", "http://x/api"), ("--mix", "hermit=3"), ("--mix", "lurker=0"),
     ("--think", "-1"), ("--think", "nan"), ("--players", "0"), ("--accounts", "none")],
)  # fmt: skip
def test_words_that_make_no_sense_are_refused(world: None, words: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=r"expected|needs a weight|invalid choice"):
        call_command("simulate", "--players", "1", "--seconds", "1", *words)


@pytest.mark.parametrize(
    ("bound", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0" + ".0" * 3, "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("localhost", "localhost"),
    ],
)
def test_without_an_address_it_plays_where_this_installation_listens(
    world: None, settings: Any, bound: str, host: str
) -> None:
    settings.BIND, settings.PORT = bound, 1

    with pytest.raises(CommandError, match=re.escape(f"http://{host}:1 does not answer")):
        call_command("simulate", "--players", "1", "--seconds", "1")
