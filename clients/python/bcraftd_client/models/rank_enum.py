from enum import StrEnum


class RankEnum(StrEnum):
    APPRENTICE = "Apprentice"
    EXPERT = "Expert"
    JOURNEYMAN = "Journeyman"
    MASTER = "Master"
    NOVICE = "Novice"

    def __str__(self) -> str:
        return str(self.value)
