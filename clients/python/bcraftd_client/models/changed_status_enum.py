from enum import StrEnum


class ChangedStatusEnum(StrEnum):
    CHANGED = "changed"

    def __str__(self) -> str:
        return str(self.value)
