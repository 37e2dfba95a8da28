"""Session, limit and login as Starlette's BaseHTTPMiddleware, each with synchronous calls to Redis or PostgreSQL."""

import os

import jwt
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bench.baselines.prototype.cache import cache
from bench.baselines.prototype.database import Player, SessionLocal

SESSION_TTL = 24 * 3600
LIMIT, WINDOW = 10_000_000, 60
SIGNING_KEY = os.environ["JWT_SIGNING_KEY"]


def refused(status: int, code: str) -> JSONResponse:
    return JSONResponse({"detail": code}, status_code=status)


class LoginMiddleware(BaseHTTPMiddleware):
    """Decodes the token and loads the player."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return refused(401, "not_authenticated")
        try:
            claims = jwt.decode(token, SIGNING_KEY, algorithms=["HS256"], issuer="bcraftd")
        except jwt.InvalidTokenError:
            return refused(401, "token_invalid")
        with SessionLocal() as database:
            player = database.get(Player, int(claims["player_id"]))
        if player is None or not player.is_active:
            return refused(401, "token_invalid")
        request.state.player = player
        request.state.session_id = claims["sid"]
        return await call_next(request)


class SessionMiddleware(BaseHTTPMiddleware):
    """Loads the session and slides its life on."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        key = f"session:{request.state.session_id}"
        session = cache.get(key)
        if session is None or session["player_id"] != request.state.player.id:
            return refused(401, "session_expired")
        cache.touch(key, SESSION_TTL)
        request.state.session = session
        return await call_next(request)


class RateLimitMiddleware(BaseHTTPMiddleware):
    """Counts the player's requests in a window."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        count = cache.count(f"ratelimit:{request.state.player.id}", WINDOW)
        if count > LIMIT:
            return refused(429, "rate_limited")
        response = await call_next(request)
        response.headers["X-RateLimit-Limit"] = str(LIMIT)
        response.headers["X-RateLimit-Remaining"] = str(LIMIT - count)
        return response
