from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.rank_enum import RankEnum


T = TypeVar("T", bound="JoinedProfession")


@_attrs_define
class JoinedProfession:
    """
    Attributes:
        id (int):
        slug (str):
        name (str):
        level (int):
        experience (int):
        rank (RankEnum): * `Master` - Master
            * `Expert` - Expert
            * `Journeyman` - Journeyman
            * `Apprentice` - Apprentice
            * `Novice` - Novice
    """

    id: int
    slug: str
    name: str
    level: int
    experience: int
    rank: RankEnum
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        slug = self.slug

        name = self.name

        level = self.level

        experience = self.experience

        rank = self.rank.value

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "slug": slug,
                "name": name,
                "level": level,
                "experience": experience,
                "rank": rank,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        name = d.pop("name")

        level = d.pop("level")

        experience = d.pop("experience")

        rank = RankEnum(d.pop("rank"))

        joined_profession = cls(
            id=id,
            slug=slug,
            name=name,
            level=level,
            experience=experience,
            rank=rank,
        )

        joined_profession.additional_properties = d
        return joined_profession

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
