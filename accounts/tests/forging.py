"""Tokens as an attacker, another issuer or an old server would make them."""

import base64
import hashlib
import hmac
import json
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


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(token: str, header: Any, *, key: str = "", signed: bool = True, claims: Any = None) -> str:
    """The token under a header that no library would write, with HMAC-SHA256 or with an empty signature."""
    text = f"{_part(header)}.{_part(claims_of(token) if claims is None else claims)}"
    secret = key or settings.JWT_SIGNING_KEY
    return f"{text}.{_part(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)) if signed else ''}"


def cut(token: str) -> str:
    """The token with the last letters of its signature lost."""
    return token[:-4]


def bad_tokens(token: str, other_kind: str) -> dict[str, str]:
    """Everything that must not pass for `token`, by what is wrong with it. `other_kind`: refresh for access."""
    return {
        **_wrong_signatures(token),
        **_wrong_headers(token),
        **_wrong_times(token),
        **_wrong_claims(token),
        "the other kind": other_kind,
        "no token at all": "garbage",
        "two dots": "a.b.c",
        "two dots alone": "..",
        "five parts": f"{token}.a.b",
        "overlong": forged(token, key=OTHER_KEY, more="x" * 2000),
    }


def _wrong_signatures(token: str) -> dict[str, str]:
    header, claims, signature = token.split(".")
    return {
        "another key": forged(token, key=OTHER_KEY),
        "the key of the cookies": forged(token, key=settings.SECRET_KEY),
        "no key": by_hand(token, {"alg": "HS256"}, key="\0"),
        "a shortened signature": cut(token),
        "another token's signature": f"{header}.{_part({**claims_of(token), 'player_id': '1'})}.{signature}",
        "claims without a signature": f"{header}.{claims}.",
        "our key in other letters": forged(token, key=settings.JWT_SIGNING_KEY.swapcase()),
    }


def _wrong_headers(token: str) -> dict[str, str]:
    spellings = ("none", "None", "NONE", "nOnE", "", " none")
    own = {"jwk": {"kty": "oct", "k": _part(OTHER_KEY.encode())}, "jku": "https://example.org/keys", "x5u": "x"}
    return {
        **{f"algorithm {name!r}": by_hand(token, {"alg": name}, signed=False) for name in spellings},
        **{f"algorithm {name!r}, signed": by_hand(token, {"alg": name}) for name in (*spellings, "RS256", "ES256")},
        "another algorithm": forged(token, key=settings.JWT_SIGNING_KEY * 2, algorithm="HS512"),
        "no algorithm": by_hand(token, {"typ": "JWT"}),
        "a list of algorithms": by_hand(token, {"alg": ["HS256"]}),
        "a key that it brings along": by_hand(token, {"alg": "HS256", **own}, key=OTHER_KEY),
        "a key by a path": by_hand(token, {"alg": "HS256", "kid": "../../../../dev/null"}, key="\0"),
        "a condition that nobody knows": by_hand(token, {"alg": "HS256", "crit": ["x"], "x": 1}),
        "a body that stands elsewhere": by_hand(token, {"alg": "HS256", "b64": False, "crit": ["b64"]}),
        "a header that is no object": by_hand(token, ["HS256"]),
        "a header that is no JSON": by_hand(token, b"\xff"),
    }


def _wrong_times(token: str) -> dict[str, str]:
    now = int(time.time())
    return {
        "expired": forged(token, exp=now - 1),
        "expired this second": forged(token, exp=now),
        "expired before there were clocks": forged(token, exp=-1),
        "without expiry": forged(token, without="exp"),
        "an expiry that is no number": by_hand(token, {"alg": "HS256"}, claims={**claims_of(token), "exp": "later"}),
        "an expiry in a list": by_hand(token, {"alg": "HS256"}, claims={**claims_of(token), "exp": [now + 900]}),
        "an expiry past the year 9999": forged(token, exp=10**12),
        "an expiry past all calendars": forged(token, exp=10**18),
        "an expiry past all numbers": forged(token, exp=10**30),
        "not yet": forged(token, nbf=now + 60),
        "issued tomorrow": forged(token, iat=now + 86400),
    }


def _wrong_claims(token: str) -> dict[str, str]:
    return {
        "without a session": forged(token, without="sid"),
        "without a player": forged(token, without="player_id"),
        "without an id": forged(token, without="jti"),
        "without a type": forged(token, without="token_type"),
        "without an issuer": forged(token, without="iss"),
        "another issuer": forged(token, iss="somebody"),
        "another type": forged(token, token_type="sliding"),
        "the player is no number": forged(token, player_id="ada"),
        "the player is a list": forged(token, player_id=[1]),
        "the player is nobody": forged(token, player_id=None),
        "the player is a number": forged(token, player_id=1),
        "the player is too many digits": forged(token, player_id="9" * 100),
        "a session that is a list": forged(token, sid=["x"]),
        "a session with a NUL": forged(token, sid="a\0b"),
        "an overlong session": forged(token, sid="x" * 65),
        "an id that is a number": forged(token, jti=1),
        "claims that are a list": by_hand(token, {"alg": "HS256"}, claims=[claims_of(token)]),
        "claims that are a text": by_hand(token, {"alg": "HS256"}, claims="x"),
    }
