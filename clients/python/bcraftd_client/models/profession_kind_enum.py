from enum import StrEnum


class ProfessionKindEnum(StrEnum):
    CRAFTING = "crafting"
    GATHERING = "gathering"
    PROCESSING = "processing"

    def __str__(self) -> str:
        return str(self.value)
