from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.badge_enum import BadgeEnum
from typing import cast


T = TypeVar("T", bound="Profile")


@_attrs_define
class Profile:
    """
    Attributes:
        id (int):
        login (str):
        level (int):
        badge (BadgeEnum): * `champion` - champion
            * `legend` - legend
            * `elite` - elite
            * `grandmaster` - grandmaster
            * `veteran` - veteran
            * `artisan` - artisan
            * `apprentice` - apprentice
            * `newcomer` - newcomer
        global_score (float | None):
        rank (int | None):
    """

    id: int
    login: str
    level: int
    badge: BadgeEnum
    global_score: float | None
    rank: int | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        login = self.login

        level = self.level

        badge = self.badge.value

        global_score: float | None
        global_score = self.global_score

        rank: int | None
        rank = self.rank

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "login": login,
                "level": level,
                "badge": badge,
                "global_score": global_score,
                "rank": rank,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        login = d.pop("login")

        level = d.pop("level")

        badge = BadgeEnum(d.pop("badge"))

        def _parse_global_score(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        global_score = _parse_global_score(d.pop("global_score"))

        def _parse_rank(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        rank = _parse_rank(d.pop("rank"))

        profile = cls(
            id=id,
            login=login,
            level=level,
            badge=badge,
            global_score=global_score,
            rank=rank,
        )

        profile.additional_properties = d
        return profile

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
