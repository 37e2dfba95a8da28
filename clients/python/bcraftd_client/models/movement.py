from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.reason_enum import ReasonEnum
from typing import cast
import datetime


T = TypeVar("T", bound="Movement")


@_attrs_define
class Movement:
    """
    Attributes:
        id (int):
        resource_id (int):
        quantity (int): Signed.
        reason (ReasonEnum): * `gather` - gather
            * `craft_in` - craft_in
            * `craft_out` - craft_out
            * `escrow` - escrow
            * `escrow_return` - escrow_return
            * `purchase` - purchase
            * `grant` - grant
        reference (str):
        created_at (datetime.datetime):
    """

    id: int
    resource_id: int
    quantity: int
    reason: ReasonEnum
    reference: str
    created_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        resource_id = self.resource_id

        quantity = self.quantity

        reason = self.reason.value

        reference = self.reference

        created_at = self.created_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "resource_id": resource_id,
                "quantity": quantity,
                "reason": reason,
                "reference": reference,
                "created_at": created_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        resource_id = d.pop("resource_id")

        quantity = d.pop("quantity")

        reason = ReasonEnum(d.pop("reason"))

        reference = d.pop("reference")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        movement = cls(
            id=id,
            resource_id=resource_id,
            quantity=quantity,
            reason=reason,
            reference=reference,
            created_at=created_at,
        )

        movement.additional_properties = d
        return movement

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
