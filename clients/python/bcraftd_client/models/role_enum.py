from enum import StrEnum


class RoleEnum(StrEnum):
    ADMIN = "admin"
    MODERATOR = "moderator"
    PLAYER = "player"

    def __str__(self) -> str:
        return str(self.value)
