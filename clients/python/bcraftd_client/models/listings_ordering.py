from enum import StrEnum


class ListingsOrdering(StrEnum):
    CREATED_AT = "created_at"
    UNIT_PRICE = "unit_price"
    VALUE_1 = "-unit_price"
    VALUE_3 = "-created_at"

    def __str__(self) -> str:
        return str(self.value)
