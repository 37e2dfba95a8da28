from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="Item")


@_attrs_define
class Item:
    """
    Attributes:
        resource_id (int):
        slug (str):
        name (str):
        rarity (str):
        quantity (int):
        stacks (int):
    """

    resource_id: int
    slug: str
    name: str
    rarity: str
    quantity: int
    stacks: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        resource_id = self.resource_id

        slug = self.slug

        name = self.name

        rarity = self.rarity

        quantity = self.quantity

        stacks = self.stacks

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "resource_id": resource_id,
                "slug": slug,
                "name": name,
                "rarity": rarity,
                "quantity": quantity,
                "stacks": stacks,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        resource_id = d.pop("resource_id")

        slug = d.pop("slug")

        name = d.pop("name")

        rarity = d.pop("rarity")

        quantity = d.pop("quantity")

        stacks = d.pop("stacks")

        item = cls(
            resource_id=resource_id,
            slug=slug,
            name=name,
            rarity=rarity,
            quantity=quantity,
            stacks=stacks,
        )

        item.additional_properties = d
        return item

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
