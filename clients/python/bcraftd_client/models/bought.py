from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.success_enum import SuccessEnum
from typing import cast

if TYPE_CHECKING:
    from ..models.trade import Trade


T = TypeVar("T", bound="Bought")


@_attrs_define
class Bought:
    """
    Attributes:
        status (SuccessEnum): * `success` - success
        trade (Trade):
        coins (int): What the buyer has left.
    """

    status: SuccessEnum
    trade: Trade
    coins: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.trade import Trade  # noqa: PLC0415

        status = self.status.value

        trade = self.trade.to_dict()

        coins = self.coins

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "trade": trade,
                "coins": coins,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.trade import Trade  # noqa: PLC0415

        d = dict(src_dict)
        status = SuccessEnum(d.pop("status"))

        trade = Trade.from_dict(d.pop("trade"))

        coins = d.pop("coins")

        bought = cls(
            status=status,
            trade=trade,
            coins=coins,
        )

        bought.additional_properties = d
        return bought

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
