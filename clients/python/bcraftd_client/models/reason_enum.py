from enum import StrEnum


class ReasonEnum(StrEnum):
    CRAFT_IN = "craft_in"
    CRAFT_OUT = "craft_out"
    ESCROW = "escrow"
    ESCROW_RETURN = "escrow_return"
    GATHER = "gather"
    GRANT = "grant"
    PURCHASE = "purchase"

    def __str__(self) -> str:
        return str(self.value)
