from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.row import Row


T = TypeVar("T", bound="Around")


@_attrs_define
class Around:
    """
    Attributes:
        as_of (datetime.datetime | None):
        rank (int | None):
        row (None | Row):
        around (list[Row]):
    """

    as_of: datetime.datetime | None
    rank: int | None
    row: None | Row
    around: list[Row]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.row import Row  # noqa: PLC0415

        as_of: None | str
        if isinstance(self.as_of, datetime.datetime):
            as_of = self.as_of.isoformat()
        else:
            as_of = self.as_of

        rank: int | None
        rank = self.rank

        row: dict[str, Any] | None
        if isinstance(self.row, Row):
            row = self.row.to_dict()
        else:
            row = self.row

        around = []
        for around_item_data in self.around:
            around_item = around_item_data.to_dict()
            around.append(around_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "as_of": as_of,
                "rank": rank,
                "row": row,
                "around": around,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.row import Row  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_as_of(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                as_of_type_0 = datetime.datetime.fromisoformat(data)

                return as_of_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        as_of = _parse_as_of(d.pop("as_of"))

        def _parse_rank(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        rank = _parse_rank(d.pop("rank"))

        def _parse_row(data: object) -> None | Row:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                row_type_0 = Row.from_dict(data)

                return row_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Row, data)

        row = _parse_row(d.pop("row"))

        around = []
        _around = d.pop("around")
        for around_item_data in _around:
            around_item = Row.from_dict(around_item_data)

            around.append(around_item)

        around = cls(
            as_of=as_of,
            rank=rank,
            row=row,
            around=around,
        )

        around.additional_properties = d
        return around

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
