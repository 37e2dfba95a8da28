from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.success_enum import SuccessEnum
from typing import cast

if TYPE_CHECKING:
    from ..models.amount import Amount


T = TypeVar("T", bound="Crafted")


@_attrs_define
class Crafted:
    """
    Attributes:
        status (SuccessEnum): * `success` - success
        recipe_id (int):
        attempts (int):
        successes (int):
        produced (list[Amount]):
        consumed (list[Amount]):
        experience_gained (int):
        profession_level (int):
        level (int):
    """

    status: SuccessEnum
    recipe_id: int
    attempts: int
    successes: int
    produced: list[Amount]
    consumed: list[Amount]
    experience_gained: int
    profession_level: int
    level: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.amount import Amount  # noqa: PLC0415

        status = self.status.value

        recipe_id = self.recipe_id

        attempts = self.attempts

        successes = self.successes

        produced = []
        for produced_item_data in self.produced:
            produced_item = produced_item_data.to_dict()
            produced.append(produced_item)

        consumed = []
        for consumed_item_data in self.consumed:
            consumed_item = consumed_item_data.to_dict()
            consumed.append(consumed_item)

        experience_gained = self.experience_gained

        profession_level = self.profession_level

        level = self.level

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "recipe_id": recipe_id,
                "attempts": attempts,
                "successes": successes,
                "produced": produced,
                "consumed": consumed,
                "experience_gained": experience_gained,
                "profession_level": profession_level,
                "level": level,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.amount import Amount  # noqa: PLC0415

        d = dict(src_dict)
        status = SuccessEnum(d.pop("status"))

        recipe_id = d.pop("recipe_id")

        attempts = d.pop("attempts")

        successes = d.pop("successes")

        produced = []
        _produced = d.pop("produced")
        for produced_item_data in _produced:
            produced_item = Amount.from_dict(produced_item_data)

            produced.append(produced_item)

        consumed = []
        _consumed = d.pop("consumed")
        for consumed_item_data in _consumed:
            consumed_item = Amount.from_dict(consumed_item_data)

            consumed.append(consumed_item)

        experience_gained = d.pop("experience_gained")

        profession_level = d.pop("profession_level")

        level = d.pop("level")

        crafted = cls(
            status=status,
            recipe_id=recipe_id,
            attempts=attempts,
            successes=successes,
            produced=produced,
            consumed=consumed,
            experience_gained=experience_gained,
            profession_level=profession_level,
            level=level,
        )

        crafted.additional_properties = d
        return crafted

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
