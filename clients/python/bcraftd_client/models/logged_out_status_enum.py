from enum import StrEnum


class LoggedOutStatusEnum(StrEnum):
    LOGGED_OUT = "logged_out"

    def __str__(self) -> str:
        return str(self.value)
