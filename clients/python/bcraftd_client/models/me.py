from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.role_enum import RoleEnum
from typing import cast

if TYPE_CHECKING:
    from ..models.own_profession import OwnProfession
    from ..models.statistics import Statistics


T = TypeVar("T", bound="Me")


@_attrs_define
class Me:
    """
    Attributes:
        id (int):
        login (str):
        email (str):
        role (RoleEnum): * `player` - player
            * `moderator` - moderator
            * `admin` - admin
        coins (int):
        level (int):
        experience (int):
        professions (list[OwnProfession]):
        statistics (Statistics):
    """

    id: int
    login: str
    email: str
    role: RoleEnum
    coins: int
    level: int
    experience: int
    professions: list[OwnProfession]
    statistics: Statistics
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.own_profession import OwnProfession  # noqa: PLC0415
        from ..models.statistics import Statistics  # noqa: PLC0415

        id = self.id

        login = self.login

        email = self.email

        role = self.role.value

        coins = self.coins

        level = self.level

        experience = self.experience

        professions = []
        for professions_item_data in self.professions:
            professions_item = professions_item_data.to_dict()
            professions.append(professions_item)

        statistics = self.statistics.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "login": login,
                "email": email,
                "role": role,
                "coins": coins,
                "level": level,
                "experience": experience,
                "professions": professions,
                "statistics": statistics,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.own_profession import OwnProfession  # noqa: PLC0415
        from ..models.statistics import Statistics  # noqa: PLC0415

        d = dict(src_dict)
        id = d.pop("id")

        login = d.pop("login")

        email = d.pop("email")

        role = RoleEnum(d.pop("role"))

        coins = d.pop("coins")

        level = d.pop("level")

        experience = d.pop("experience")

        professions = []
        _professions = d.pop("professions")
        for professions_item_data in _professions:
            professions_item = OwnProfession.from_dict(professions_item_data)

            professions.append(professions_item)

        statistics = Statistics.from_dict(d.pop("statistics"))

        me = cls(
            id=id,
            login=login,
            email=email,
            role=role,
            coins=coins,
            level=level,
            experience=experience,
            professions=professions,
            statistics=statistics,
        )

        me.additional_properties = d
        return me

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
