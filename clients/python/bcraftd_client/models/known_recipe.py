from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
    from ..models.amount import Amount


T = TypeVar("T", bound="KnownRecipe")


@_attrs_define
class KnownRecipe:
    """
    Attributes:
        id (int):
        slug (str):
        name (str):
        craftable (bool):
        missing (list[Amount]):
    """

    id: int
    slug: str
    name: str
    craftable: bool
    missing: list[Amount]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.amount import Amount  # noqa: PLC0415

        id = self.id

        slug = self.slug

        name = self.name

        craftable = self.craftable

        missing = []
        for missing_item_data in self.missing:
            missing_item = missing_item_data.to_dict()
            missing.append(missing_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "slug": slug,
                "name": name,
                "craftable": craftable,
                "missing": missing,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.amount import Amount  # noqa: PLC0415

        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        name = d.pop("name")

        craftable = d.pop("craftable")

        missing = []
        _missing = d.pop("missing")
        for missing_item_data in _missing:
            missing_item = Amount.from_dict(missing_item_data)

            missing.append(missing_item)

        known_recipe = cls(
            id=id,
            slug=slug,
            name=name,
            craftable=craftable,
            missing=missing,
        )

        known_recipe.additional_properties = d
        return known_recipe

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
