from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="Multipliers")


@_attrs_define
class Multipliers:
    """A weather or a season.

    Attributes:
        id (int):
        name (str):
        gathering_multiplier (float):
        crafting_multiplier (float):
    """

    id: int
    name: str
    gathering_multiplier: float
    crafting_multiplier: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        name = self.name

        gathering_multiplier = self.gathering_multiplier

        crafting_multiplier = self.crafting_multiplier

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "name": name,
                "gathering_multiplier": gathering_multiplier,
                "crafting_multiplier": crafting_multiplier,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        name = d.pop("name")

        gathering_multiplier = d.pop("gathering_multiplier")

        crafting_multiplier = d.pop("crafting_multiplier")

        multipliers = cls(
            id=id,
            name=name,
            gathering_multiplier=gathering_multiplier,
            crafting_multiplier=crafting_multiplier,
        )

        multipliers.additional_properties = d
        return multipliers

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
