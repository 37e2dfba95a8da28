from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime


T = TypeVar("T", bound="Row")


@_attrs_define
class Row:
    """
    Attributes:
        rank (int): By score, whatever the sort.
        player_id (int):
        login (str):
        level (int):
        experience (int):
        coins (int):
        profession_count (int):
        total_profession_level (int):
        expert_professions (int):
        master_professions (int):
        total_items_crafted (int):
        total_sales_value (int):
        global_score (float):
        as_of (datetime.datetime):
    """

    rank: int
    player_id: int
    login: str
    level: int
    experience: int
    coins: int
    profession_count: int
    total_profession_level: int
    expert_professions: int
    master_professions: int
    total_items_crafted: int
    total_sales_value: int
    global_score: float
    as_of: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        rank = self.rank

        player_id = self.player_id

        login = self.login

        level = self.level

        experience = self.experience

        coins = self.coins

        profession_count = self.profession_count

        total_profession_level = self.total_profession_level

        expert_professions = self.expert_professions

        master_professions = self.master_professions

        total_items_crafted = self.total_items_crafted

        total_sales_value = self.total_sales_value

        global_score = self.global_score

        as_of = self.as_of.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "rank": rank,
                "player_id": player_id,
                "login": login,
                "level": level,
                "experience": experience,
                "coins": coins,
                "profession_count": profession_count,
                "total_profession_level": total_profession_level,
                "expert_professions": expert_professions,
                "master_professions": master_professions,
                "total_items_crafted": total_items_crafted,
                "total_sales_value": total_sales_value,
                "global_score": global_score,
                "as_of": as_of,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        rank = d.pop("rank")

        player_id = d.pop("player_id")

        login = d.pop("login")

        level = d.pop("level")

        experience = d.pop("experience")

        coins = d.pop("coins")

        profession_count = d.pop("profession_count")

        total_profession_level = d.pop("total_profession_level")

        expert_professions = d.pop("expert_professions")

        master_professions = d.pop("master_professions")

        total_items_crafted = d.pop("total_items_crafted")

        total_sales_value = d.pop("total_sales_value")

        global_score = d.pop("global_score")

        as_of = datetime.datetime.fromisoformat(d.pop("as_of"))

        row = cls(
            rank=rank,
            player_id=player_id,
            login=login,
            level=level,
            experience=experience,
            coins=coins,
            profession_count=profession_count,
            total_profession_level=total_profession_level,
            expert_professions=expert_professions,
            master_professions=master_professions,
            total_items_crafted=total_items_crafted,
            total_sales_value=total_sales_value,
            global_score=global_score,
            as_of=as_of,
        )

        row.additional_properties = d
        return row

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
