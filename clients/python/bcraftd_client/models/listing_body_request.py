from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="ListingBodyRequest")


@_attrs_define
class ListingBodyRequest:
    """Refuses fields that it does not know, so that a misspelt one is not silently ignored.

    Attributes:
        resource_id (int):
        quantity (int):
        unit_price (int):
    """

    resource_id: int
    quantity: int
    unit_price: int

    def to_dict(self) -> dict[str, Any]:
        resource_id = self.resource_id

        quantity = self.quantity

        unit_price = self.unit_price

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "resource_id": resource_id,
                "quantity": quantity,
                "unit_price": unit_price,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        resource_id = d.pop("resource_id")

        quantity = d.pop("quantity")

        unit_price = d.pop("unit_price")

        listing_body_request = cls(
            resource_id=resource_id,
            quantity=quantity,
            unit_price=unit_price,
        )

        return listing_body_request
