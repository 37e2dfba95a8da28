from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.code_enum import CodeEnum
from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
    from ..models.field_error import FieldError


T = TypeVar("T", bound="Problem")


@_attrs_define
class Problem:
    """RFC 9457, application/problem+json.

    Attributes:
        type_ (str):
        title (str):
        status (int):
        detail (str):
        code (CodeEnum): * `invalid` - invalid
            * `parse_error` - parse_error
            * `not_authenticated` - not_authenticated
            * `token_invalid` - token_invalid
            * `session_expired` - session_expired
            * `bad_credentials` - bad_credentials
            * `permission_denied` - permission_denied
            * `not_found` - not_found
            * `method_not_allowed` - method_not_allowed
            * `not_acceptable` - not_acceptable
            * `payload_too_large` - payload_too_large
            * `unsupported_media_type` - unsupported_media_type
            * `login_taken` - login_taken
            * `email_taken` - email_taken
            * `insufficient_coins` - insufficient_coins
            * `insufficient_items` - insufficient_items
            * `listing_not_active` - listing_not_active
            * `own_listing` - own_listing
            * `not_tradeable` - not_tradeable
            * `not_gatherable` - not_gatherable
            * `profession_required` - profession_required
            * `profession_limit` - profession_limit
            * `level_too_low` - level_too_low
            * `balance_limit` - balance_limit
            * `idempotency_in_progress` - idempotency_in_progress
            * `conflict` - conflict
            * `idempotency_key_reused` - idempotency_key_reused
            * `rate_limited` - rate_limited
            * `internal_error` - internal_error
            * `service_unavailable` - service_unavailable
        request_id (str):
        errors (list[FieldError] | Unset):
    """

    type_: str
    title: str
    status: int
    detail: str
    code: CodeEnum
    request_id: str
    errors: list[FieldError] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.field_error import FieldError  # noqa: PLC0415

        type_ = self.type_

        title = self.title

        status = self.status

        detail = self.detail

        code = self.code.value

        request_id = self.request_id

        errors: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.errors, Unset):
            errors = []
            for errors_item_data in self.errors:
                errors_item = errors_item_data.to_dict()
                errors.append(errors_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "title": title,
                "status": status,
                "detail": detail,
                "code": code,
                "request_id": request_id,
            }
        )
        if errors is not UNSET:
            field_dict["errors"] = errors

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.field_error import FieldError  # noqa: PLC0415

        d = dict(src_dict)
        type_ = d.pop("type")

        title = d.pop("title")

        status = d.pop("status")

        detail = d.pop("detail")

        code = CodeEnum(d.pop("code"))

        request_id = d.pop("request_id")

        _errors = d.pop("errors", UNSET)
        errors: list[FieldError] | Unset = UNSET
        if _errors is not UNSET:
            errors = []
            for errors_item_data in _errors:
                errors_item = FieldError.from_dict(errors_item_data)

                errors.append(errors_item)

        problem = cls(
            type_=type_,
            title=title,
            status=status,
            detail=detail,
            code=code,
            request_id=request_id,
            errors=errors,
        )

        problem.additional_properties = d
        return problem

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
