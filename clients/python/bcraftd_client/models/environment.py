from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.multipliers import Multipliers


T = TypeVar("T", bound="Environment")


@_attrs_define
class Environment:
    """
    Attributes:
        weather (Multipliers | None):
        season (Multipliers | None):
        timestamp (datetime.datetime): When this was read from the database.
    """

    weather: Multipliers | None
    season: Multipliers | None
    timestamp: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.multipliers import Multipliers  # noqa: PLC0415

        weather: dict[str, Any] | None
        if isinstance(self.weather, Multipliers):
            weather = self.weather.to_dict()
        else:
            weather = self.weather

        season: dict[str, Any] | None
        if isinstance(self.season, Multipliers):
            season = self.season.to_dict()
        else:
            season = self.season

        timestamp = self.timestamp.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "weather": weather,
                "season": season,
                "timestamp": timestamp,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.multipliers import Multipliers  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_weather(data: object) -> Multipliers | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                weather_type_0 = Multipliers.from_dict(data)

                return weather_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Multipliers | None, data)

        weather = _parse_weather(d.pop("weather"))

        def _parse_season(data: object) -> Multipliers | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                season_type_0 = Multipliers.from_dict(data)

                return season_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Multipliers | None, data)

        season = _parse_season(d.pop("season"))

        timestamp = datetime.datetime.fromisoformat(d.pop("timestamp"))

        environment = cls(
            weather=weather,
            season=season,
            timestamp=timestamp,
        )

        environment.additional_properties = d
        return environment

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
