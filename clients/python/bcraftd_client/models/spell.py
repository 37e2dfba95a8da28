from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.multipliers import Multipliers


T = TypeVar("T", bound="Spell")


@_attrs_define
class Spell:
    """
    Attributes:
        starts_at (datetime.datetime):
        ends_at (datetime.datetime):
        weather (Multipliers): A weather or a season.
    """

    starts_at: datetime.datetime
    ends_at: datetime.datetime
    weather: Multipliers
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.multipliers import Multipliers  # noqa: PLC0415

        starts_at = self.starts_at.isoformat()

        ends_at = self.ends_at.isoformat()

        weather = self.weather.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "starts_at": starts_at,
                "ends_at": ends_at,
                "weather": weather,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.multipliers import Multipliers  # noqa: PLC0415

        d = dict(src_dict)
        starts_at = datetime.datetime.fromisoformat(d.pop("starts_at"))

        ends_at = datetime.datetime.fromisoformat(d.pop("ends_at"))

        weather = Multipliers.from_dict(d.pop("weather"))

        spell = cls(
            starts_at=starts_at,
            ends_at=ends_at,
            weather=weather,
        )

        spell.additional_properties = d
        return spell

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
