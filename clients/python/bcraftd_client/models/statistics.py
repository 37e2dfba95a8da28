from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="Statistics")


@_attrs_define
class Statistics:
    """
    Attributes:
        items_crafted (int):
        items_gathered (int):
        sales_count (int):
        sales_value (int):
        purchases_count (int):
        purchases_value (int):
    """

    items_crafted: int
    items_gathered: int
    sales_count: int
    sales_value: int
    purchases_count: int
    purchases_value: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        items_crafted = self.items_crafted

        items_gathered = self.items_gathered

        sales_count = self.sales_count

        sales_value = self.sales_value

        purchases_count = self.purchases_count

        purchases_value = self.purchases_value

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "items_crafted": items_crafted,
                "items_gathered": items_gathered,
                "sales_count": sales_count,
                "sales_value": sales_value,
                "purchases_count": purchases_count,
                "purchases_value": purchases_value,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        items_crafted = d.pop("items_crafted")

        items_gathered = d.pop("items_gathered")

        sales_count = d.pop("sales_count")

        sales_value = d.pop("sales_value")

        purchases_count = d.pop("purchases_count")

        purchases_value = d.pop("purchases_value")

        statistics = cls(
            items_crafted=items_crafted,
            items_gathered=items_gathered,
            sales_count=sales_count,
            sales_value=sales_value,
            purchases_count=purchases_count,
            purchases_value=purchases_value,
        )

        statistics.additional_properties = d
        return statistics

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
