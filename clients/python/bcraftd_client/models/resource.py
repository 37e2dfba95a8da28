from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.resource_kind_enum import ResourceKindEnum
from typing import cast


T = TypeVar("T", bound="Resource")


@_attrs_define
class Resource:
    """
    Attributes:
        id (int):
        slug (str):
        name (str):
        kind (ResourceKindEnum): * `wood` - wood
            * `ore` - ore
            * `plant` - plant
            * `hide` - hide
            * `fibre` - fibre
            * `food` - food
            * `gem` - gem
            * `material` - material
            * `component` - component
            * `tool` - tool
            * `weapon` - weapon
            * `armour` - armour
            * `potion` - potion
            * `jewellery` - jewellery
        rarity (str):
        base_value (int):
        stack_size (int):
        tradeable (bool):
        gatherable (bool):
        profession_id (int | None):
    """

    id: int
    slug: str
    name: str
    kind: ResourceKindEnum
    rarity: str
    base_value: int
    stack_size: int
    tradeable: bool
    gatherable: bool
    profession_id: int | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        slug = self.slug

        name = self.name

        kind = self.kind.value

        rarity = self.rarity

        base_value = self.base_value

        stack_size = self.stack_size

        tradeable = self.tradeable

        gatherable = self.gatherable

        profession_id: int | None
        profession_id = self.profession_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "slug": slug,
                "name": name,
                "kind": kind,
                "rarity": rarity,
                "base_value": base_value,
                "stack_size": stack_size,
                "tradeable": tradeable,
                "gatherable": gatherable,
                "profession_id": profession_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        name = d.pop("name")

        kind = ResourceKindEnum(d.pop("kind"))

        rarity = d.pop("rarity")

        base_value = d.pop("base_value")

        stack_size = d.pop("stack_size")

        tradeable = d.pop("tradeable")

        gatherable = d.pop("gatherable")

        def _parse_profession_id(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        profession_id = _parse_profession_id(d.pop("profession_id"))

        resource = cls(
            id=id,
            slug=slug,
            name=name,
            kind=kind,
            rarity=rarity,
            base_value=base_value,
            stack_size=stack_size,
            tradeable=tradeable,
            gatherable=gatherable,
            profession_id=profession_id,
        )

        resource.additional_properties = d
        return resource

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
