from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.source_enum import SourceEnum
from typing import cast

if TYPE_CHECKING:
    from ..models.known_recipe import KnownRecipe


T = TypeVar("T", bound="KnownRecipes")


@_attrs_define
class KnownRecipes:
    """
    Attributes:
        source (SourceEnum): * `cache` - cache
            * `database` - database
        recipes (list[KnownRecipe]):
    """

    source: SourceEnum
    recipes: list[KnownRecipe]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.known_recipe import KnownRecipe  # noqa: PLC0415

        source = self.source.value

        recipes = []
        for recipes_item_data in self.recipes:
            recipes_item = recipes_item_data.to_dict()
            recipes.append(recipes_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "source": source,
                "recipes": recipes,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.known_recipe import KnownRecipe  # noqa: PLC0415

        d = dict(src_dict)
        source = SourceEnum(d.pop("source"))

        recipes = []
        _recipes = d.pop("recipes")
        for recipes_item_data in _recipes:
            recipes_item = KnownRecipe.from_dict(recipes_item_data)

            recipes.append(recipes_item)

        known_recipes = cls(
            source=source,
            recipes=recipes,
        )

        known_recipes.additional_properties = d
        return known_recipes

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
