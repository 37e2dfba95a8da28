"""Tokens as an attacker, another issuer or an old server would make them."""

import time
from typing import Any

import jwt
from django.conf import settings

OTHER_KEY = "somebody-elses-signing-key-0123456789-abcdefghijkl"


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, without looking at its signature."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def forged(token: str, *, key: str = "", algorithm: str = "HS256", without: str = "", **changes: Any) -> str:
    """The token with some claims changed or left out, signed with our own key unless told otherwise."""
    claims = {**claims_of(token), **changes}
    claims.pop(without, None)
    return jwt.encode(claims, None if algorithm == "none" else key or settings.JWT_SIGNING_KEY, algorithm)


def cut(token: str) -> str:
    """The token with the last letters of its signature lost."""
    return token[:-4]


def bad_tokens(token: str, other_kind: str) -> dict[str, str]:
    """Everything that must not pass for `token`, by what is wrong with it. `other_kind`: refresh for access."""
    return {
        "another key": forged(token, key=OTHER_KEY),
        "no signature": forged(token, algorithm="none"),
        "another algorithm": forged(token, key=settings.JWT_SIGNING_KEY * 2, algorithm="HS512"),
        "expired": forged(token, exp=int(time.time()) - 1),
        "without expiry": forged(token, without="exp"),
        "without a session": forged(token, without="sid"),
        "without a player": forged(token, without="player_id"),
        "another issuer": forged(token, iss="somebody"),
        "the player is no number": forged(token, player_id="ada"),
        "the other kind": other_kind,
        "a shortened signature": cut(token),
        "no token at all": "garbage",
        "two dots": "a.b.c",
    }
