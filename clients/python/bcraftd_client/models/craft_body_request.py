from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset


T = TypeVar("T", bound="CraftBodyRequest")


@_attrs_define
class CraftBodyRequest:
    """Refuses fields that it does not know, so that a misspelt one is not silently ignored.

    Attributes:
        recipe_id (int):
        quantity (int | Unset):  Default: 1.
    """

    recipe_id: int
    quantity: int | Unset = 1

    def to_dict(self) -> dict[str, Any]:
        recipe_id = self.recipe_id

        quantity = self.quantity

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "recipe_id": recipe_id,
            }
        )
        if quantity is not UNSET:
            field_dict["quantity"] = quantity

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        recipe_id = d.pop("recipe_id")

        quantity = d.pop("quantity", UNSET)

        craft_body_request = cls(
            recipe_id=recipe_id,
            quantity=quantity,
        )

        return craft_body_request
