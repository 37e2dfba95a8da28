"""Pure decisions about trades. Coins are whole numbers."""


def total_price(quantity: int, unit_price: int) -> int:
    """What a buyer pays, exactly."""
    return quantity * unit_price


def fee(total: int, percent: int) -> int:
    """What the market keeps of it, rounded down."""
    return total * percent // 100
