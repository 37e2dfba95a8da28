from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.source_enum import SourceEnum
from typing import cast

if TYPE_CHECKING:
    from ..models.profession import Profession


T = TypeVar("T", bound="Professions")


@_attrs_define
class Professions:
    """
    Attributes:
        source (SourceEnum): * `cache` - cache
            * `database` - database
        professions (list[Profession]):
    """

    source: SourceEnum
    professions: list[Profession]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.profession import Profession  # noqa: PLC0415

        source = self.source.value

        professions = []
        for professions_item_data in self.professions:
            professions_item = professions_item_data.to_dict()
            professions.append(professions_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "source": source,
                "professions": professions,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.profession import Profession  # noqa: PLC0415

        d = dict(src_dict)
        source = SourceEnum(d.pop("source"))

        professions = []
        _professions = d.pop("professions")
        for professions_item_data in _professions:
            professions_item = Profession.from_dict(professions_item_data)

            professions.append(professions_item)

        professions = cls(
            source=source,
            professions=professions,
        )

        professions.additional_properties = d
        return professions

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
