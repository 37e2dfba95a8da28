from enum import StrEnum


class MyListingsStatus(StrEnum):
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SOLD = "sold"

    def __str__(self) -> str:
        return str(self.value)
