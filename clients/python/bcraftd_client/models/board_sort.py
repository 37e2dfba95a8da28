from enum import StrEnum


class BoardSort(StrEnum):
    COINS = "coins"
    CRAFTED = "crafted"
    LEVEL = "level"
    SALES = "sales"
    SCORE = "score"

    def __str__(self) -> str:
        return str(self.value)
