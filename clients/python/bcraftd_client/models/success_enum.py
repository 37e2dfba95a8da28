from enum import StrEnum


class SuccessEnum(StrEnum):
    SUCCESS = "success"

    def __str__(self) -> str:
        return str(self.value)
