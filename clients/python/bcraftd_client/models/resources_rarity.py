from enum import StrEnum


class ResourcesRarity(StrEnum):
    COMMON = "common"
    EPIC = "epic"
    LEGENDARY = "legendary"
    MYTHIC = "mythic"
    RARE = "rare"

    def __str__(self) -> str:
        return str(self.value)
