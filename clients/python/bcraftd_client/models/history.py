from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.interval_enum import IntervalEnum
from typing import cast

if TYPE_CHECKING:
    from ..models.candle import Candle


T = TypeVar("T", bound="History")


@_attrs_define
class History:
    """
    Attributes:
        resource_id (int):
        interval (IntervalEnum): * `hour` - hour
            * `day` - day
        candles (list[Candle]):
    """

    resource_id: int
    interval: IntervalEnum
    candles: list[Candle]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.candle import Candle  # noqa: PLC0415

        resource_id = self.resource_id

        interval = self.interval.value

        candles = []
        for candles_item_data in self.candles:
            candles_item = candles_item_data.to_dict()
            candles.append(candles_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "resource_id": resource_id,
                "interval": interval,
                "candles": candles,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.candle import Candle  # noqa: PLC0415

        d = dict(src_dict)
        resource_id = d.pop("resource_id")

        interval = IntervalEnum(d.pop("interval"))

        candles = []
        _candles = d.pop("candles")
        for candles_item_data in _candles:
            candles_item = Candle.from_dict(candles_item_data)

            candles.append(candles_item)

        history = cls(
            resource_id=resource_id,
            interval=interval,
            candles=candles,
        )

        history.additional_properties = d
        return history

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
