from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="GatherBodyRequest")


@_attrs_define
class GatherBodyRequest:
    """Refuses fields that it does not know, so that a misspelt one is not silently ignored.

    Attributes:
        resource_id (int):
    """

    resource_id: int

    def to_dict(self) -> dict[str, Any]:
        resource_id = self.resource_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "resource_id": resource_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        resource_id = d.pop("resource_id")

        gather_body_request = cls(
            resource_id=resource_id,
        )

        return gather_body_request
