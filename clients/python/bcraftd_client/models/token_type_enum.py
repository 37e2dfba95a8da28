from enum import StrEnum


class TokenTypeEnum(StrEnum):
    BEARER = "bearer"

    def __str__(self) -> str:
        return str(self.value)
