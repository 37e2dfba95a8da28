from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime


T = TypeVar("T", bound="Trade")


@_attrs_define
class Trade:
    """
    Attributes:
        id (int):
        listing_id (int):
        resource_id (int):
        buyer_id (int):
        seller_id (int):
        quantity (int):
        unit_price (int):
        total_price (int):
        fee (int):
        created_at (datetime.datetime):
    """

    id: int
    listing_id: int
    resource_id: int
    buyer_id: int
    seller_id: int
    quantity: int
    unit_price: int
    total_price: int
    fee: int
    created_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        listing_id = self.listing_id

        resource_id = self.resource_id

        buyer_id = self.buyer_id

        seller_id = self.seller_id

        quantity = self.quantity

        unit_price = self.unit_price

        total_price = self.total_price

        fee = self.fee

        created_at = self.created_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "listing_id": listing_id,
                "resource_id": resource_id,
                "buyer_id": buyer_id,
                "seller_id": seller_id,
                "quantity": quantity,
                "unit_price": unit_price,
                "total_price": total_price,
                "fee": fee,
                "created_at": created_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        listing_id = d.pop("listing_id")

        resource_id = d.pop("resource_id")

        buyer_id = d.pop("buyer_id")

        seller_id = d.pop("seller_id")

        quantity = d.pop("quantity")

        unit_price = d.pop("unit_price")

        total_price = d.pop("total_price")

        fee = d.pop("fee")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        trade = cls(
            id=id,
            listing_id=listing_id,
            resource_id=resource_id,
            buyer_id=buyer_id,
            seller_id=seller_id,
            quantity=quantity,
            unit_price=unit_price,
            total_price=total_price,
            fee=fee,
            created_at=created_at,
        )

        trade.additional_properties = d
        return trade

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
