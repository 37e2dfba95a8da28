"""DRF's authentication: IdentityMiddleware has done the work."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from bcraftd.identity import Principal


class SessionTokenAuthentication(BaseAuthentication):
    """A bearer token whose session lives."""

    def authenticate(self, request: Request) -> tuple[Principal, None]:
        principal = request._request.principal  # type: ignore[attr-defined]
        if principal is None:
            raise request._request.identity_refusal  # type: ignore[attr-defined]
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class SessionTokenScheme(OpenApiAuthenticationExtension):
    """How the schema shows it."""

    target_class = SessionTokenAuthentication
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
