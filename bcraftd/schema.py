"""The OpenAPI document: what each view says of itself, with the errors and headers that every answer may have."""

from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from bcraftd.converters import SessionConverter
from bcraftd.errors import CODES
from bcraftd.fields import Text
from bcraftd.openapi import ETAG, REQUEST_ID


class FieldError(serializers.Serializer):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer):
    """RFC 9457, application/problem+json."""

    type = serializers.RegexField(r"^urn:bcraftd:error:[a-z_]+\Z")
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField()
    code = serializers.ChoiceField(list(CODES))
    request_id = serializers.RegexField(REQUEST_ID)
    errors = FieldError(many=True, required=False)  # type: ignore[assignment] # RFC 9457 names it so


ANY_CALL = ("invalid", "rate_limited", "not_acceptable", "service_unavailable", "internal_error")
ANY_POST = ("parse_error", "payload_too_large", "unsupported_media_type")
WITH_KEY = ("idempotency_in_progress", "idempotency_key_reused")

YOUR_REQUEST_ID = OpenApiParameter(
    "X-Request-ID",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Your name for the request, if it is 8 to 64 of `A-Za-z0-9-`; anything else is replaced.",
)
YOUR_SESSION = OpenApiParameter(
    "X-Session-ID",
    {"type": "string", "pattern": f"^{SessionConverter.regex}$"},
    OpenApiParameter.HEADER,
    description="The token's own session, to be checked.",
)


def _header(
    name: str, description: str, statuses: Sequence[int], *, required: bool = True, **schema: Any
) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        {"type": "string", **schema},
        OpenApiParameter.HEADER,
        description=description,
        response=list(statuses),
        required=required,
    )


def _cached_headers(private: bool) -> list[OpenApiParameter]:
    """What a cached read takes and gives."""
    good = [200, 304]
    headers = [
        _header("X-Cache", "Where the answer came from.", good, enum=["HIT", "MISS", "BYPASS"]),
        _header("ETag", "Weak, of the data without `source`.", good, pattern=ETAG),
        OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER),
    ]
    return [*headers, _header("Vary", "Authorization.", good, pattern="Authorization")] if private else headers


def _key_headers(status: int) -> list[OpenApiParameter]:
    """What a call under an Idempotency-Key takes and gives."""
    return [
        OpenApiParameter(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            OpenApiParameter.HEADER,
            description="1 to 255 visible ASCII characters. The first good answer is kept under it for 24 hours.",
        ),
        _header("Idempotent-Replayed", "Where this is the kept answer.", [status], required=False, enum=["true"]),
    ]


class TextSchema(OpenApiSerializerFieldExtension):
    """Texts with the pattern that they have to match."""

    target_class = Text
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        shown: dict[str, Any] = self.target.shown()
        return shown


class ApiSchema(AutoSchema):
    """Tags by the first part of the path, and a stable operation id."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/").split("/")[0]]

    def get_operation_id(self) -> str:
        words = self.path.removeprefix("/api/").replace("{", "by_").replace("}", "").replace("/", "_").replace("-", "_")
        return f"{self.method.lower()}_{words}"


def _problems(codes: Sequence[str]) -> dict[Any, Any]:
    """The error answers that the codes lead to, by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code][0], []).append(code)
    return {
        (status, "application/problem+json"): OpenApiResponse(Problem, description=" · ".join(named))
        for status, named in by_status.items()
    }


def documented(
    *,
    answer: Any = None,
    status: int = 200,
    body: Any = None,
    query: Any = None,
    cached: bool = False,
    errors: Sequence[str] = (),
    also: dict[int, Any] | None = None,
) -> Callable[[Any], Any]:
    """Documents one method of a view.

    answer, body, query: serializers (None: nothing). errors: codes of bcraftd.errors that the call may answer
    beside those that any call may. cached: whether it has X-Cache, ETag and answers 304. also: other good
    statuses and their serializers. A method that is idempotent (bcraftd.api) says so by itself.
    """
    responses: dict[Any, Any] = {status: answer or OpenApiResponse(description="No body."), **(also or {})}
    parameters: list[Any] = [YOUR_REQUEST_ID, *([query] if query is not None else [])]
    signed_in = "not_authenticated" in errors
    if signed_in:
        parameters.append(YOUR_SESSION)
    if cached:
        responses[304] = OpenApiResponse(description="What If-None-Match names is still true.")
        parameters += _cached_headers(private=signed_in)

    def decorate(method: Any) -> Any:
        # Whatever is sent with a POST is parsed, also where no body is needed.
        common = (*ANY_CALL, *ANY_POST) if method.__name__ == "post" else ANY_CALL
        keyed = getattr(method, "idempotent", False)
        problems = _problems([*common, *errors, *(WITH_KEY if keyed else ())])
        sentence = (method.__doc__ or "").strip().split("\n")[0].rstrip(".")
        return extend_schema(
            summary=sentence,
            request=body,
            responses={**responses, **problems},
            parameters=[*parameters, *(_key_headers(status) if keyed else ())],
        )(method)

    return decorate


SIGNED_IN = ("not_authenticated", "token_invalid", "session_expired")
