from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.success_enum import SuccessEnum


T = TypeVar("T", bound="Gathered")


@_attrs_define
class Gathered:
    """
    Attributes:
        status (SuccessEnum): * `success` - success
        resource_id (int):
        quantity (int):
        experience_gained (int):
        profession_level (int):
        level (int):
    """

    status: SuccessEnum
    resource_id: int
    quantity: int
    experience_gained: int
    profession_level: int
    level: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status = self.status.value

        resource_id = self.resource_id

        quantity = self.quantity

        experience_gained = self.experience_gained

        profession_level = self.profession_level

        level = self.level

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "resource_id": resource_id,
                "quantity": quantity,
                "experience_gained": experience_gained,
                "profession_level": profession_level,
                "level": level,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        status = SuccessEnum(d.pop("status"))

        resource_id = d.pop("resource_id")

        quantity = d.pop("quantity")

        experience_gained = d.pop("experience_gained")

        profession_level = d.pop("profession_level")

        level = d.pop("level")

        gathered = cls(
            status=status,
            resource_id=resource_id,
            quantity=quantity,
            experience_gained=experience_gained,
            profession_level=profession_level,
            level=level,
        )

        gathered.additional_properties = d
        return gathered

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
