"""The API as granian serves it, with defects where secrets are at hand: for the test of the logs.

A new password that begins with "defect" and a refresh token that begins with "eyJdefect" are each too much for it. The
second one's exception says the token, as that of a library may.
"""

from typing import Any

from bcraftd.wsgi import application

from accounts import services  # isort: skip - Django has to be set up first

__all__ = ["application"]
_change, _refresh = services.password_change, services.session_refresh


def _changed(*, old_password: str, new_password: str, **rest: Any) -> None:
    if new_password.startswith("defect"):
        raise ZeroDivisionError("a defect")
    _change(old_password=old_password, new_password=new_password, **rest)


def _refreshed(*, refresh_token: str, **rest: Any) -> Any:
    if refresh_token.startswith("eyJdefect"):
        raise ValueError(f"cannot read {refresh_token!r}")
    return _refresh(refresh_token=refresh_token, **rest)


services.password_change = _changed
services.session_refresh = _refreshed
