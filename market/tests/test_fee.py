"""What the market keeps of a sale: a function of PostgreSQL, which every purchase asks."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.models import MAX_QUANTITY, MAX_UNIT_PRICE

pytestmark = pytest.mark.usefixtures("world")

percents = st.integers(0, 100)
# Asking changes nothing, so that all examples may share a world.
asking = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def fee_of(total: int, percent: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT market_fee(%s, %s)", [total, percent])
        return int(cursor.fetchone()[0])


@asking
@given(st.integers(1, MAX_QUANTITY * MAX_UNIT_PRICE), percents)
def test_the_fee_is_the_share_rounded_down_to_a_coin(total: int, percent: int) -> None:
    fee = fee_of(total, percent)

    assert 0 <= fee <= total
    assert 0 <= total * percent - fee * 100 < 100


@asking
@given(st.integers(1, 10**12), st.integers(1, 10**12), percents)
def test_no_fee_is_saved_by_selling_all_at_once(one: int, other: int, percent: int) -> None:
    assert fee_of(one, percent) + fee_of(other, percent) <= fee_of(one + other, percent)


@pytest.mark.parametrize(
    ("total", "percent", "fee"), [(1, 5, 0), (19, 5, 0), (20, 5, 1), (39, 5, 1), (10**15, 5, 5 * 10**13), (7, 100, 7)]
)
def test_fees_of_known_totals(total: int, percent: int, fee: int) -> None:
    assert fee_of(total, percent) == fee
