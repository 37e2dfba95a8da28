"""manage.py economy_audit, and the schedule that runs the same: what they print, log, keep, and end with."""

import json
import logging
from io import StringIO
from typing import Any, cast

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Player
from bcraftd import economy
from bcraftd.models import EconomyAudit
from bcraftd.tasks import economy_audit
from tests.audit_world import by_hand, everything_happens, register
from tests.programs import command, manage
from tests.support import Api

NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}


@pytest.fixture
def bob(world: None) -> Api:
    """A player in a world in which everything happened."""
    bob = register("bob")
    everything_happens(register("ada"), bob)
    return bob


@pytest.fixture
def richer(bob: Api) -> str:
    """Bob has a coin more by hand. The sentence that says so."""
    by_hand(f"UPDATE accounts_player SET coins = coins + 1 WHERE id = {bob.id}")
    coins = Player.objects.get(pk=bob.id).coins
    return f"player {bob.id}: has {coins} coins, and the entries sum to {coins - 1}"


def failed(*words: str) -> tuple[str, str]:
    """What a command printed, and the sentence with which it failed."""
    out = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("economy_audit", *words, stdout=out)
    return out.getvalue(), str(failure.value)


# --- The command ------------------------------------------------------------------------------------------


def test_a_whole_economy_is_said_in_json_with_its_totals(bob: Api) -> None:
    report = json.loads(command("economy_audit", "--json"))

    assert list(report) == ["ok", "problems", "totals"]
    assert (report["ok"], report["problems"]) == (True, [])
    assert report["totals"] == economy.audit().totals
    assert set(report["totals"]) == {
        "players", "transfers", "entries", "movements", "listings", "trades",
        "coins_minted", "coins_held", "coins_in_market_fee", "items_held", "items_in_escrow", "problems",
    }  # fmt: skip


def test_a_problem_is_named_in_json_and_fails(richer: str) -> None:
    printed, failure = failed("--json")

    report = json.loads(printed)
    assert printed.count("\n") == 1
    assert (report["ok"], report["problems"]) == (False, [{"kind": "balance_differs", "detail": richer}])
    assert report["totals"]["problems"] == {"balance_differs": 1}
    assert failure.startswith("Problems: 1. docs/economy.md ")


def test_for_people_there_is_a_line_of_totals_and_what_was_found(bob: Api) -> None:
    printed = command("economy_audit")

    assert "players: 3" in printed
    assert "coins minted: 2050" in printed
    assert "no problem, in " in printed


def test_for_people_each_problem_is_a_row_of_a_table(richer: str) -> None:
    printed, _ = failed()

    assert "balance_differs" in printed
    assert richer in printed
    assert "problems: 1, in " in printed


def test_for_people_the_rest_of_a_kind_is_counted(bob: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(economy, "NAMED", 2)
    by_hand("UPDATE accounts_player SET coins = coins + 1")

    printed, failure = failed()

    assert "and 1 more" in printed
    assert failure.startswith("Problems: 3.")


def test_brackets_in_what_is_wrong_are_no_markup(bob: Api) -> None:
    by_hand("UPDATE accounts_ledgertransfer SET reason = '[red]grant[/]' WHERE reason = 'grant'")

    assert "[red]grant[/]" in failed()[0]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_what_it_found_is_kept(richer: str, words: list[str]) -> None:
    failed(*words)

    row = EconomyAudit.objects.get()
    assert (row.problem_count, row.problems) == (1, [{"kind": "balance_differs", "detail": richer}])


def test_as_a_program_its_exit_status_says_whether_the_economy_is_whole(bob: Api) -> None:
    whole = manage("economy_audit", "--json")
    by_hand("UPDATE accounts_player SET coins = coins + 1")
    broken = manage("economy_audit", "--json")

    assert (whole.returncode, json.loads(whole.stdout)["ok"]) == (0, True), whole.stderr
    assert (broken.returncode, json.loads(broken.stdout)["ok"]) == (1, False)
    assert broken.stderr.startswith("CommandError: Problems: 3.")


def test_without_postgresql_it_says_so(world: None) -> None:
    ended = manage("economy_audit", "--json", **NOWHERE)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "CommandError: PostgreSQL does not answer: " in ended.stderr
    assert "Traceback" not in ended.stderr


# --- The schedule -----------------------------------------------------------------------------------------


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, dict[str, Any]]]:
    """Level and fields of each line that the audit wrote."""
    return [(row.levelno, dict(cast("Any", row.msg))) for row in caplog.records if row.name == "bcraftd.economy"]


def test_the_schedule_says_a_whole_economy_in_one_line(bob: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert economy_audit() == 0

    ((level, fields),) = lines(caplog)
    assert level == logging.INFO
    assert (fields["event"], fields["problems"], fields["kinds"]) == ("the economy is whole", 0, {})
    assert fields["seconds"] >= 0
    assert EconomyAudit.objects.get().ok


def test_the_schedule_raises_an_alert_with_the_first_problems(richer: str, caplog: pytest.LogCaptureFixture) -> None:
    assert economy_audit() == 1

    (whole, whole_fields), (level, fields) = lines(caplog)
    assert whole == level == logging.ERROR
    assert (whole_fields["problems"], whole_fields["kinds"]) == (1, {"balance_differs": 1})
    assert (fields["kind"], fields["detail"]) == ("balance_differs", richer)
    assert not EconomyAudit.objects.get().ok


def test_an_alert_is_no_flood(bob: Api, caplog: pytest.LogCaptureFixture) -> None:
    by_hand(
        "INSERT INTO accounts_ledgertransfer (operation_id, reason, reference, created_at)"
        " SELECT gen_random_uuid(), 'salary', '', now() FROM generate_series(1, 100)"
    )

    assert economy_audit() == 200

    assert len(lines(caplog)) == 1 + economy.LOGGED


def test_in_the_log_its_fields_stand_by_their_names(richer: str) -> None:
    """What a monitoring looks for: the level, the number, the kind."""
    ended = manage("shell", "-c", "from bcraftd.tasks import economy_audit; economy_audit()")

    said = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    alert, problem = (line for line in said if line["logger"] == "bcraftd.economy")
    assert (alert["level"], alert["problems"], alert["kinds"]) == ("error", 1, {"balance_differs": 1})
    assert (problem["level"], problem["kind"], problem["detail"]) == ("error", "balance_differs", richer)
