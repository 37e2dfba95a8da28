"""`make mutants`: what counts as killed, what is mutated at all, and that nothing decorated is passed over."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import chosen, targets
from tests.mutants.score import Score, judged, together
from tests.mutants.tree import ROOT, UnreachableError, undecorated


def of(killed: int, survived: int) -> Score:
    return judged({f"mutant {number}": 1 if number < killed else 0 for number in range(killed + survived)})


@pytest.mark.parametrize(
    ("killed", "survived", "enough"), [(9, 1, True), (90, 11, False), (899, 101, False), (0, 1, False), (0, 0, False)]
)
def test_at_least_ninety_of_a_hundred_must_be_killed(killed: int, survived: int, enough: bool) -> None:
    score = of(killed, survived)
    assert (score.killed, score.mutants, score.enough) == (killed, killed + survived, enough)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0, "every test passed"),
        (5, "no test calls it"),
        (33, "no test calls it"),
        (None, "not run"),
        (2, "its process ended with status 2"),
        (3, "its process ended with status 3"),
        (4, "its process ended with status 4"),
        (255, "its process ended with status 255"),
        (-9, "its process ended with status -9"),
        (-11, "its process ended with status -11"),
    ],
)
def test_what_no_test_failed_for_has_survived(status: int | None, reason: str) -> None:
    score = judged({"mutant": status})
    assert (score.killed, score.survivors) == (0, [("mutant", reason)])


@pytest.mark.parametrize("status", [1, 36, -24, 24, 152])
def test_a_failed_test_and_a_time_that_ran_out_kill(status: int) -> None:
    assert judged({"mutant": status}) == Score(1, 1)


def test_files_add_up_mutant_by_mutant() -> None:
    total = together({"good.py": of(99, 1), "bad.py": of(1, 9)})
    assert (total.killed, total.mutants, len(total.survivors)) == (100, 110, 10)
    assert total.enough
    assert not together({"good.py": of(99, 1), "bad.py": of(1, 19)}).enough
    assert not together({}).enough


def test_every_rule_and_the_economys_services_are_mutated() -> None:
    assert [str(path) for path in targets()] == [
        "accounts/rules.py",
        "accounts/services.py",
        "bcraftd/leveling.py",
        "environment/rules.py",
        "inventory/rules.py",
        "inventory/services.py",
        "market/services.py",
    ]
    assert {path.relative_to(ROOT) for path in ROOT.glob("*/rules.py")} <= set(targets())


def test_a_part_is_chosen_by_its_module_or_function() -> None:
    files = [Path("inventory/rules.py"), Path("market/services.py")]
    assert chosen("", files) == (files, [])
    assert chosen("inventory.rules", files) == ([files[0]], ["inventory.rules.*"])
    assert chosen("market.services.listing_buy", files) == ([files[1]], ["market.services.x_listing_buy*"])
    with pytest.raises(SystemExit, match=r"market\.service is in none of"):
        chosen("market.service", files)


def test_a_decorated_function_is_decorated_below_and_no_line_moves() -> None:
    source = "@atomic\ndef one() -> int:\n    return 1\n\n\n@atomic\ndef two() -> int:\n    return 2\n"
    assert undecorated(source).splitlines() == [
        "",
        "def one() -> int:",
        "    return 1",
        "one = atomic(one)",
        "",
        "",
        "def two() -> int:",
        "    return 2",
        "two = atomic(two)",
    ]


def test_a_function_under_another_decorator_is_not_passed_over_in_silence() -> None:
    with pytest.raises(UnreachableError, match="passes over one"):
        undecorated("@cache\ndef one() -> int:\n    return 1\n", "market/services.py")


def test_all_that_is_to_be_mutated_can_be() -> None:
    for path in targets():
        undecorated((ROOT / path).read_text(encoding="utf-8"), str(path))
