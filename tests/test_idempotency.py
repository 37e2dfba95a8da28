"""Idempotency keys: one effect and one answer under a key, whatever is repeated, at once or after a death."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from bcraftd import idempotency
from bcraftd.models import IdempotencyKey
from bcraftd.tasks import idempotency_sweep
from inventory.tests.support import at_once, join
from market.models import Trade
from market.tests.support import economy
from tests.support import Api, assert_problem, queries, recipe_id, resource_id

LISTINGS = "/api/market/listings"
Call = tuple[str, dict[str, Any]]


@pytest.fixture
def offer(bob: Api) -> dict[str, Any]:
    """Bob sells five logs at ten coins."""
    bob.grant(mutterwood_log=5)
    return bob.sells("mutterwood-log", 5, 10)


def under(player: Api, key: str, path: str, body: Any = None) -> Any:
    """A call under a key."""
    return player.call("POST", path, body, Idempotency_Key=key)


def _gather(ada: Api, offer: dict[str, Any]) -> Call:
    join(ada, "timberhand")
    return "/api/gather", {"resource_id": resource_id("mutterwood-log")}


def _craft(ada: Api, offer: dict[str, Any]) -> Call:
    join(ada, "sawyer")
    ada.grant(mutterwood_log=100)
    return "/api/craft", {"recipe_id": recipe_id("saw-mutterwood-planks"), "quantity": 3}


def _list(ada: Api, offer: dict[str, Any]) -> Call:
    ada.grant(mutterwood_log=10)
    return LISTINGS, {"resource_id": resource_id("mutterwood-log"), "quantity": 2, "unit_price": 7}


def _buy(ada: Api, offer: dict[str, Any]) -> Call:
    return f"{LISTINGS}/{offer['id']}/buy", {"quantity": 2}


def _cancel(ada: Api, offer: dict[str, Any]) -> Call:
    ada.grant(mutterwood_log=10)
    return f"{LISTINGS}/{ada.sells('mutterwood-log', 4, 9)['id']}/cancel", {}


CALLS = [_gather, _craft, _list, _buy, _cancel]
each_call = pytest.mark.parametrize("prepare", CALLS, ids=lambda call: call.__name__.strip("_"))


@each_call
def test_a_repeated_call_gives_the_first_answer_and_does_nothing(
    prepare: Callable[..., Call], ada: Api, offer: dict[str, Any]
) -> None:
    path, body = prepare(ada, offer)
    first = under(ada, "k", path, body)
    assert first.status_code in (200, 201), first.content
    assert "Idempotent-Replayed" not in first
    after = economy()

    again = [under(ada, "k", path, body) for _ in range(3)]

    assert {(answer.status_code, answer.content) for answer in again} == {(first.status_code, first.content)}
    assert {answer["Idempotent-Replayed"] for answer in again} == {"true"}
    assert {answer["Content-Type"] for answer in again} == {first["Content-Type"]}
    assert economy() == after


@each_call
def test_two_keys_are_two_calls(prepare: Callable[..., Call], ada: Api, offer: dict[str, Any]) -> None:
    path, body = prepare(ada, offer)
    under(ada, "k", path, body)
    after = economy()

    second = under(ada, "l", path, body)

    if second.status_code < 300:
        assert "Idempotent-Replayed" not in second
        assert economy() != after
    else:
        # What is cancelled cannot be cancelled once more.
        assert_problem(second, 409, "listing_not_active")


def test_the_answer_stays_whatever_happens_in_between(ada: Api, bob: Api, offer: dict[str, Any]) -> None:
    path, body = _buy(ada, offer)
    first = under(ada, "k", path, body)
    ada.grant(coins=500)
    bob.post(f"{LISTINGS}/{offer['id']}/cancel")

    again = under(Api.signed_in("ada", "correct horse battery"), "k", path, body)

    assert again.content == first.content
    assert Trade.objects.count() == 1


def test_how_a_body_is_written_makes_no_other_call(ada: Api, offer: dict[str, Any]) -> None:
    ada.grant(mutterwood_log=10)
    log = resource_id("mutterwood-log")
    bodies = [
        f'{{"resource_id":{log},"quantity":2,"unit_price":7}}',
        f' {{ "unit_price" : 7, "quantity":2,\n"resource_id": {log} }}',
    ]
    first, again = (ada.call("POST", LISTINGS, raw=body.encode(), Idempotency_Key="k") for body in bodies)

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"


def test_no_body_is_the_same_as_an_empty_one(ada: Api, offer: dict[str, Any]) -> None:
    path = f"{LISTINGS}/{offer['id']}/buy"
    first = ada.call("POST", path, Idempotency_Key="k")
    again = ada.call("POST", f"{path}/", {}, Idempotency_Key="k")

    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")


@pytest.mark.parametrize("body", [{"quantity": 1}, {}])
def test_another_body_under_a_used_key_is_refused(body: dict[str, int], ada: Api, offer: dict[str, Any]) -> None:
    path, first = _buy(ada, offer)
    under(ada, "k", path, first)
    before = economy()

    assert_problem(under(ada, "k", path, body), 422, "idempotency_key_reused")
    assert economy() == before


def test_another_call_under_a_used_key_is_refused(ada: Api, offer: dict[str, Any]) -> None:
    under(ada, "k", *_buy(ada, offer))
    before = economy()

    assert_problem(under(ada, "k", f"{LISTINGS}/{offer['id'] + 1}/buy", {"quantity": 2}), 422, "idempotency_key_reused")
    log = resource_id("mutterwood-log")
    assert_problem(under(ada, "k", "/api/gather", {"resource_id": log}), 422, "idempotency_key_reused")
    assert economy() == before


def test_a_refusal_keeps_nothing(ada: Api, offer: dict[str, Any]) -> None:
    path = f"{LISTINGS}/{offer['id']}/buy"
    assert_problem(under(ada, "k", path, {"quantity": 6}), 409, "insufficient_items")
    assert_problem(under(ada, "k", path, {"quantity": 0}), 400, "invalid")
    assert not IdempotencyKey.objects.exists()

    assert under(ada, "k", path, {"quantity": 5}).status_code == 200


def test_what_was_refused_may_be_done_later_under_the_same_key(ada: Api, bob: Api) -> None:
    bob.grant(mutterwood_log=1)
    path = f"{LISTINGS}/{bob.sells('mutterwood-log', 1, 1500)['id']}/buy"
    assert_problem(under(ada, "k", path), 409, "insufficient_coins")
    ada.grant(coins=500)

    bought = under(ada, "k", path)

    assert (bought.status_code, bought.json()["coins"]) == (200, 0)
    assert "Idempotent-Replayed" not in bought


def test_a_key_belongs_to_one_player(ada: Api, sign_up: Callable[..., Api], offer: dict[str, Any]) -> None:
    eve = sign_up("eve")
    path = f"{LISTINGS}/{offer['id']}/buy"
    first = under(ada, "k", path, {"quantity": 1})
    other = under(eve, "k", path, {"quantity": 2})

    assert "Idempotent-Replayed" not in other
    assert (first.json()["trade"]["buyer_id"], other.json()["trade"]["buyer_id"]) == (ada.id, eve.id)


def test_while_the_first_call_runs_the_second_is_told_so(ada: Api, offer: dict[str, Any]) -> None:
    path, body = _buy(ada, offer)
    before = economy()
    with transaction.atomic():
        assert idempotency._lock(ada.id, "k")
        [meanwhile] = at_once(lambda: under(ada, "k", path, body))
        [other_key] = at_once(lambda: under(ada, "l", LISTINGS, {}))

    assert_problem(meanwhile, 409, "idempotency_in_progress")
    assert_problem(other_key, 400, "invalid")
    assert economy() == before
    assert under(ada, "k", path, body).status_code == 200


def test_a_hundred_at_once_have_one_effect_and_one_answer(ada: Api, offer: dict[str, Any]) -> None:
    path, body = _buy(ada, offer)

    answers = at_once(*[lambda: under(ada, "k", path, body)] * 100)

    done = [answer for answer in answers if answer.status_code == 200]
    told = [answer for answer in answers if answer.status_code != 200]
    assert len({answer.content for answer in done}) == 1
    assert Counter("Idempotent-Replayed" in answer for answer in done)[False] == 1
    assert {answer.json()["code"] for answer in told} <= {"idempotency_in_progress"}
    assert Trade.objects.count() == 1
    assert (ada.coins(), ada.holds("mutterwood-log")) == (980, 2)
    assert under(ada, "k", path, body).content == done[0].content


def test_an_answer_is_kept_for_a_day(ada: Api, offer: dict[str, Any]) -> None:
    path, body = _buy(ada, offer)
    first = under(ada, "k", path, body)
    _age(hours=23, minutes=59)
    assert idempotency_sweep() == 0
    assert under(ada, "k", path, body).content == first.content

    _age(hours=24, minutes=1)
    anew = under(ada, "k", path, body)

    # Over before the sweep has been there; and the new answer is kept in its turn.
    assert "Idempotent-Replayed" not in anew
    assert Trade.objects.count() == 2
    assert under(ada, "k", path, body).content == anew.content


def _age(**age: float) -> None:
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(**age))


def test_the_sweep_deletes_what_is_over_in_batches(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "SWEEP_BATCH", 3)
    now = timezone.now()
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(
            player_id=ada.id,
            key=str(age),
            fingerprint="f",
            status=200,
            body=b"{}",
            created_at=now - timedelta(hours=age),
        )
        for age in range(18, 32)
    )

    assert idempotency_sweep() == 8
    assert sorted(IdempotencyKey.objects.values_list("key", flat=True)) == [str(age) for age in range(18, 24)]


def test_a_key_costs_three_queries_and_a_repetition_two(ada: Api, offer: dict[str, Any]) -> None:
    path, body = _list(ada, offer)
    with queries() as without:
        ada.post(path, **body)
    with queries() as first:
        under(ada, "k", path, body)
    with queries() as again:
        under(ada, "k", path, body)

    # The lock, the look, and the answer that is kept.
    assert len(first) == len(without) + 3, "\n".join(first)
    assert len(again) == 2, "\n".join(again)


def test_a_key_costs_a_purchase_no_query(ada: Api, offer: dict[str, Any]) -> None:
    path, body = _buy(ada, offer)
    for _ in range(2):
        with queries() as sql:
            under(ada, "k", path, body)
        assert len(sql) == 1, "\n".join(sql)


def test_a_call_without_a_key_keeps_nothing(ada: Api, offer: dict[str, Any]) -> None:
    ada.post(f"{LISTINGS}/{offer['id']}/buy", quantity=1)

    assert not IdempotencyKey.objects.exists()


def test_the_kept_answer_goes_with_its_effect(ada: Api, offer: dict[str, Any]) -> None:
    """What undoes the one undoes the other: they are one transaction."""
    path, body = _buy(ada, offer)
    with transaction.atomic():
        assert under(ada, "k", path, body).status_code == 200
        assert IdempotencyKey.objects.count() == 1
        transaction.set_rollback(True)

    assert not IdempotencyKey.objects.exists()
    assert not Trade.objects.exists()
    assert connection.in_atomic_block is False
