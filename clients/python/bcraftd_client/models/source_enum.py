from enum import StrEnum


class SourceEnum(StrEnum):
    CACHE = "cache"
    DATABASE = "database"

    def __str__(self) -> str:
        return str(self.value)
