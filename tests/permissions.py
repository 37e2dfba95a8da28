"""What the tests of permissions look at: players with rows of every kind whose ids and amounts no other row has, what
is known only to whom they are, and prints of everything that a call may have changed.

A model that comes to point at a player is found by itself; `populate` has to make a row of it.
"""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import ManyToOneRel, Model, Q

from accounts.models import LedgerTransfer, Player
from bcraftd.cache.entry import encode
from tests.support import Api, profession_id, resource_id

PASSWORD = "correct horse battery"
WOOD = "mutterwood-log"
# Everybody's: the catalogue's ids, names of roles and of reasons (who gathers in vain has no row with that reason).
EVERYBODYS = ("resource_id", "profession_id", "role", "reason")
# Smaller numbers (levels, quantities of a day's work) are the same for many, and tell nothing of anybody.
DISTINCT = 100_000
# The microseconds of a time are no amount.
_NUMBER = re.compile(r"(?<![\d.])\d{6,}")


@dataclass(frozen=True)
class Populated:
    """A player with rows of every kind, and what a call may name of them."""

    api: Api
    names: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return self.api.id

    def signed_in(self) -> Api:
        """A session of its own, for a call that may end it."""
        return Api.signed_in(self.api.login, PASSWORD, id=self.api.id)


def owned() -> dict[type[Model], list[str]]:
    """Every model with rows of players, and the look-ups that lead from a row to the player's id."""
    found: dict[type[Model], list[str]] = {Player: ["pk"], LedgerTransfer: ["entries__player_id"]}
    for relation in Player._meta.get_fields(include_hidden=True):
        if isinstance(relation, ManyToOneRel):
            found.setdefault(relation.related_model, []).append(relation.field.attname)
    return found


def rows_of(player_id: int) -> dict[str, list[dict[str, Any]]]:
    """All rows of a player by their models' labels, as JSON would show them."""
    found = {}
    for model, names in owned().items():
        mine = Q(*((name, player_id) for name in names), _connector=Q.OR)
        rows = model._base_manager.filter(mine).distinct().order_by("pk").values()
        found[model._meta.label] = [_shown(row) for row in rows]
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    texts = {name: bytes(value).decode() if isinstance(value, memoryview) else value for name, value in row.items()}
    return dict(json.loads(encode(texts)))


def values_of(player_id: int, *, without: Set[str] = frozenset()) -> set[str | int]:
    """What stands in a player's rows, but for the columns named as `market.Listing.unit_price`, and what those say."""
    hidden: set[str | int] = set()
    shown: set[str | int] = set()
    for label, rows in rows_of(player_id).items():
        for row in rows:
            for column, value in row.items():
                if column not in EVERYBODYS:
                    (shown if f"{label}.{column}" in without else hidden).update(_telling(value))
    return hidden - shown


def _telling(value: Any) -> Iterator[str | int]:
    """The parts of a value by which it can be known again."""
    if isinstance(value, str) and len(value) >= 6:
        yield value
    elif isinstance(value, int | float) and abs(value) >= DISTINCT:
        yield abs(int(value))


def told(body: bytes, values: set[str | int]) -> set[str | int]:
    """Which of these values a body tells, wherever they stand in it."""
    text = body.decode()
    numbers = set(map(int, _NUMBER.findall(text)))
    return {value for value in values if (value in numbers if isinstance(value, int) else value in text)}


def known_only_to(player: Populated, *others: Populated, without: Set[str] = frozenset()) -> set[str | int]:
    """A player's values that stand in no row of the others."""
    found = values_of(player.id, without=without)
    for other in others:
        found -= values_of(other.id)
    assert found
    return found


def ids_apart() -> None:
    """From here on every table of players' rows has ids of its own, far from all amounts and from each other."""
    with connection.cursor() as cursor:
        for number, model in enumerate(owned()):
            place = [model._meta.db_table, model._meta.pk.column]
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", place)
            (sequence,) = cursor.fetchone()
            if sequence is not None:
                cursor.execute("SELECT setval(%s, %s)", [sequence, (number + 1) * 10**8])


def fingerprint(*, without: tuple[str, ...] = ()) -> dict[str, str]:
    """A print of every table, to see which ones a call has changed."""
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor)) - set(without)
        found = {}
        for name in sorted(names):
            cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{name}\" t")
            (found[name],) = cursor.fetchone()
    return found


# --- Making them ------------------------------------------------------------------------------------------


def trader() -> Api:
    """Somebody whom the others buy from and sell to, so that they need not meet."""
    dora = Api.signed_up("dora-the-trader", PASSWORD)
    dora.grant(coins=10**14, mutterwood_log=10**9)
    return dora


def populate(login: str, number: int, dora: Api) -> Populated:
    """A player with rows of every kind. `number` makes the amounts those of nobody else."""
    player = Api.signed_up(login, PASSWORD)
    player.grant(coins=number * 1_000_003 * 10**6, mutterwood_log=number * 7_000_013)
    for slug in ("timberhand", "sawyer"):
        assert player.post(f"/api/professions/{profession_id(slug)}/join").status_code == 201
    assert player.post("/api/gather", resource_id=resource_id(WOOD)).status_code == 200
    names = _deals(player, number, dora)
    phone = Api.signed_in(login, PASSWORD)
    names.update(session_id=phone.session["session_id"], refresh_token=phone.session["refresh_token"])
    return Populated(player, names)


def _deals(player: Api, number: int, dora: Api) -> dict[str, Any]:
    """Offers that stand, were taken back and were sold in part, and a purchase."""
    price = number * 1_000_033
    standing = player.sells(WOOD, number * 100_019, price)
    offer = {"resource_id": resource_id(WOOD), "quantity": number * 100_043, "unit_price": price + 1}
    key = f"key-of-{player.login}"
    back = player.call("POST", "/api/market/listings", offer, Idempotency_Key=key).json()
    assert player.post(f"/api/market/listings/{back['id']}/cancel").status_code == 200
    assert dora.post(f"/api/market/listings/{standing['id']}/buy", quantity=number + 1).status_code == 200
    offered = dora.sells(WOOD, number + 2, price + 2)
    assert player.post(f"/api/market/listings/{offered['id']}/buy").status_code == 200
    return {"listing_id": standing["id"], "player_id": player.id, "key": key, "offer": offer}
