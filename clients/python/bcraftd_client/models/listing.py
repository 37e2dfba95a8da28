from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.listing_status_enum import ListingStatusEnum
from typing import cast
import datetime


T = TypeVar("T", bound="Listing")


@_attrs_define
class Listing:
    """
    Attributes:
        id (int):
        resource_id (int):
        resource_name (str):
        seller_id (int):
        seller_login (str):
        quantity (int):
        remaining (int):
        unit_price (int):
        status (ListingStatusEnum): * `active` - active
            * `sold` - sold
            * `cancelled` - cancelled
            * `expired` - expired
        created_at (datetime.datetime):
        expires_at (datetime.datetime):
    """

    id: int
    resource_id: int
    resource_name: str
    seller_id: int
    seller_login: str
    quantity: int
    remaining: int
    unit_price: int
    status: ListingStatusEnum
    created_at: datetime.datetime
    expires_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        resource_id = self.resource_id

        resource_name = self.resource_name

        seller_id = self.seller_id

        seller_login = self.seller_login

        quantity = self.quantity

        remaining = self.remaining

        unit_price = self.unit_price

        status = self.status.value

        created_at = self.created_at.isoformat()

        expires_at = self.expires_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "resource_id": resource_id,
                "resource_name": resource_name,
                "seller_id": seller_id,
                "seller_login": seller_login,
                "quantity": quantity,
                "remaining": remaining,
                "unit_price": unit_price,
                "status": status,
                "created_at": created_at,
                "expires_at": expires_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        resource_id = d.pop("resource_id")

        resource_name = d.pop("resource_name")

        seller_id = d.pop("seller_id")

        seller_login = d.pop("seller_login")

        quantity = d.pop("quantity")

        remaining = d.pop("remaining")

        unit_price = d.pop("unit_price")

        status = ListingStatusEnum(d.pop("status"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))

        listing = cls(
            id=id,
            resource_id=resource_id,
            resource_name=resource_name,
            seller_id=seller_id,
            seller_login=seller_login,
            quantity=quantity,
            remaining=remaining,
            unit_price=unit_price,
            status=status,
            created_at=created_at,
            expires_at=expires_at,
        )

        listing.additional_properties = d
        return listing

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
