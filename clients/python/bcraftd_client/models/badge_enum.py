from enum import StrEnum


class BadgeEnum(StrEnum):
    APPRENTICE = "apprentice"
    ARTISAN = "artisan"
    CHAMPION = "champion"
    ELITE = "elite"
    GRANDMASTER = "grandmaster"
    LEGEND = "legend"
    NEWCOMER = "newcomer"
    VETERAN = "veteran"

    def __str__(self) -> str:
        return str(self.value)
