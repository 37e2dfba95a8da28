"""The market's pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import rules
from market.models import MAX_QUANTITY, MAX_UNIT_PRICE

quantities = st.integers(1, MAX_QUANTITY)
prices = st.integers(1, MAX_UNIT_PRICE)
percents = st.integers(0, 100)


@given(quantities, prices)
def test_a_total_is_the_sum_of_what_each_piece_costs(quantity: int, unit_price: int) -> None:
    total = rules.total_price(quantity, unit_price)

    assert total % quantity == 0
    assert total // quantity == unit_price


@given(quantities, quantities, prices)
def test_buying_in_two_parts_costs_what_the_whole_costs(one: int, other: int, unit_price: int) -> None:
    parts = rules.total_price(one, unit_price) + rules.total_price(other, unit_price)

    assert parts == rules.total_price(one + other, unit_price)


@given(st.integers(1, MAX_QUANTITY * MAX_UNIT_PRICE), percents)
def test_the_fee_is_the_share_rounded_down_to_a_coin(total: int, percent: int) -> None:
    fee = rules.fee(total, percent)

    assert 0 <= fee <= total
    assert 0 <= total * percent - fee * 100 < 100


@given(st.integers(1, 10**12), st.integers(1, 10**12), percents)
def test_no_fee_is_saved_by_selling_all_at_once(one: int, other: int, percent: int) -> None:
    assert rules.fee(one, percent) + rules.fee(other, percent) <= rules.fee(one + other, percent)


@pytest.mark.parametrize(
    ("total", "percent", "fee"), [(1, 5, 0), (19, 5, 0), (20, 5, 1), (39, 5, 1), (10**15, 5, 5 * 10**13), (7, 100, 7)]
)
def test_fees_of_known_totals(total: int, percent: int, fee: int) -> None:
    assert rules.fee(total, percent) == fee
