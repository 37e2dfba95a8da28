"""JSON Web Tokens by simplejwt, each naming its session in the claim `sid`."""

import re
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from bcraftd.errors import Refusal

# What we write into a token. Anything else has not been written by us, whatever its signature says.
_NUMBER = re.compile(r"[0-9]{1,19}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login answers with. `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says. `expires` is in seconds since the epoch."""

    player_id: int
    session_id: str
    token_id: str
    expires: int


def new_refresh_id() -> str:
    """An id for the next refresh token of a session."""
    return uuid.uuid4().hex


def issue(*, player_id: int, session_id: str, refresh_id: str) -> TokenPair:
    """A new pair for a session."""
    access, refresh = AccessToken(), RefreshToken()
    for token in (access, refresh):
        token["sid"] = session_id
        token[api_settings.USER_ID_CLAIM] = str(player_id)
    refresh["jti"] = refresh_id
    lifetime = int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds())
    return TokenPair(str(access), str(refresh), lifetime, session_id)


def _claim(token: Token, name: str, form: re.Pattern[str]) -> str:
    value = token[name]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError(name)
    return value


def _read(kind: type[Token], text: str) -> Claims:
    try:
        token = kind(text.encode("ascii"))  # type: ignore[arg-type]
        player_id = int(_claim(token, api_settings.USER_ID_CLAIM, _NUMBER))
        return Claims(player_id, _claim(token, "sid", _NAME), _claim(token, "jti", _NAME), int(token["exp"]))
    # The last two: an expiry that no calendar holds.
    except (TokenError, KeyError, ValueError, OverflowError, OSError):
        raise Refusal("token_invalid") from None


def read_access(text: str) -> Claims:
    """The claims of an access token. Raises Refusal `token_invalid`: signature, algorithm, type, expiry, form."""
    return _read(AccessToken, text)


class Verified:
    """Tokens whose signature this process has checked, and what they say: a few thousand of them, none past its expiry.

    Whether the session still lives is not remembered, and has to be asked each time.
    """

    MAX = 10_000

    def __init__(self) -> None:
        self._claims: OrderedDict[str, Claims] = OrderedDict()
        self._lock = Lock()

    def read(self, text: str) -> Claims:
        """As read_access."""
        claims = self._claims.get(text)
        if claims is not None and time.time() < claims.expires:
            return claims
        claims = read_access(text)
        with self._lock:
            self._claims[text] = claims
            while len(self._claims) > self.MAX:
                self._claims.popitem(last=False)
        return claims

    def __len__(self) -> int:
        return len(self._claims)


verified = Verified()


def read_refresh(text: str) -> Claims:
    """The claims of a refresh token. Raises Refusal `token_invalid`."""
    return _read(RefreshToken, text)
