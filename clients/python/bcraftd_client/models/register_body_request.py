from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="RegisterBodyRequest")


@_attrs_define
class RegisterBodyRequest:
    """Refuses fields that it does not know, so that a misspelt one is not silently ignored.

    Attributes:
        login (str):
        email (str):
        password (str):
    """

    login: str
    email: str
    password: str

    def to_dict(self) -> dict[str, Any]:
        login = self.login

        email = self.email

        password = self.password

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "login": login,
                "email": email,
                "password": password,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        login = d.pop("login")

        email = d.pop("email")

        password = d.pop("password")

        register_body_request = cls(
            login=login,
            email=email,
            password=password,
        )

        return register_body_request
