from enum import StrEnum


class ListingStatusEnum(StrEnum):
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SOLD = "sold"

    def __str__(self) -> str:
        return str(self.value)
