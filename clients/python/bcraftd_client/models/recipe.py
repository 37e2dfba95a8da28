from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
    from ..models.amount import Amount


T = TypeVar("T", bound="Recipe")


@_attrs_define
class Recipe:
    """
    Attributes:
        id (int):
        slug (str):
        name (str):
        output_resource_id (int):
        output_quantity (int):
        profession_id (int):
        required_level (int):
        base_experience (int):
        success_rate (float):
        ingredients (list[Amount]):
    """

    id: int
    slug: str
    name: str
    output_resource_id: int
    output_quantity: int
    profession_id: int
    required_level: int
    base_experience: int
    success_rate: float
    ingredients: list[Amount]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.amount import Amount  # noqa: PLC0415

        id = self.id

        slug = self.slug

        name = self.name

        output_resource_id = self.output_resource_id

        output_quantity = self.output_quantity

        profession_id = self.profession_id

        required_level = self.required_level

        base_experience = self.base_experience

        success_rate = self.success_rate

        ingredients = []
        for ingredients_item_data in self.ingredients:
            ingredients_item = ingredients_item_data.to_dict()
            ingredients.append(ingredients_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "slug": slug,
                "name": name,
                "output_resource_id": output_resource_id,
                "output_quantity": output_quantity,
                "profession_id": profession_id,
                "required_level": required_level,
                "base_experience": base_experience,
                "success_rate": success_rate,
                "ingredients": ingredients,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.amount import Amount  # noqa: PLC0415

        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        name = d.pop("name")

        output_resource_id = d.pop("output_resource_id")

        output_quantity = d.pop("output_quantity")

        profession_id = d.pop("profession_id")

        required_level = d.pop("required_level")

        base_experience = d.pop("base_experience")

        success_rate = d.pop("success_rate")

        ingredients = []
        _ingredients = d.pop("ingredients")
        for ingredients_item_data in _ingredients:
            ingredients_item = Amount.from_dict(ingredients_item_data)

            ingredients.append(ingredients_item)

        recipe = cls(
            id=id,
            slug=slug,
            name=name,
            output_resource_id=output_resource_id,
            output_quantity=output_quantity,
            profession_id=profession_id,
            required_level=required_level,
            base_experience=base_experience,
            success_rate=success_rate,
            ingredients=ingredients,
        )

        recipe.additional_properties = d
        return recipe

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
