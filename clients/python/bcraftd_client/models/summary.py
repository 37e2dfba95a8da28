from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast


T = TypeVar("T", bound="Summary")


@_attrs_define
class Summary:
    """
    Attributes:
        resource_id (int):
        lowest_price (int | None):
        volume_listed (int):
        last_price (int | None):
        volume_24h (int):
        low_24h (int | None):
        high_24h (int | None):
        average_24h (float | None):
    """

    resource_id: int
    lowest_price: int | None
    volume_listed: int
    last_price: int | None
    volume_24h: int
    low_24h: int | None
    high_24h: int | None
    average_24h: float | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        resource_id = self.resource_id

        lowest_price: int | None
        lowest_price = self.lowest_price

        volume_listed = self.volume_listed

        last_price: int | None
        last_price = self.last_price

        volume_24h = self.volume_24h

        low_24h: int | None
        low_24h = self.low_24h

        high_24h: int | None
        high_24h = self.high_24h

        average_24h: float | None
        average_24h = self.average_24h

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "resource_id": resource_id,
                "lowest_price": lowest_price,
                "volume_listed": volume_listed,
                "last_price": last_price,
                "volume_24h": volume_24h,
                "low_24h": low_24h,
                "high_24h": high_24h,
                "average_24h": average_24h,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        resource_id = d.pop("resource_id")

        def _parse_lowest_price(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        lowest_price = _parse_lowest_price(d.pop("lowest_price"))

        volume_listed = d.pop("volume_listed")

        def _parse_last_price(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        last_price = _parse_last_price(d.pop("last_price"))

        volume_24h = d.pop("volume_24h")

        def _parse_low_24h(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        low_24h = _parse_low_24h(d.pop("low_24h"))

        def _parse_high_24h(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        high_24h = _parse_high_24h(d.pop("high_24h"))

        def _parse_average_24h(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        average_24h = _parse_average_24h(d.pop("average_24h"))

        summary = cls(
            resource_id=resource_id,
            lowest_price=lowest_price,
            volume_listed=volume_listed,
            last_price=last_price,
            volume_24h=volume_24h,
            low_24h=low_24h,
            high_24h=high_24h,
            average_24h=average_24h,
        )

        summary.additional_properties = d
        return summary

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
