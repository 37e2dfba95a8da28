from enum import StrEnum


class ResourcesKind(StrEnum):
    ARMOUR = "armour"
    COMPONENT = "component"
    FIBRE = "fibre"
    FOOD = "food"
    GEM = "gem"
    HIDE = "hide"
    JEWELLERY = "jewellery"
    MATERIAL = "material"
    ORE = "ore"
    PLANT = "plant"
    POTION = "potion"
    TOOL = "tool"
    WEAPON = "weapon"
    WOOD = "wood"

    def __str__(self) -> str:
        return str(self.value)
