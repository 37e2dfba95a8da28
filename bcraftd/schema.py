"""The OpenAPI document: what each view says of itself, with the errors and headers that every answer may have."""

from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from bcraftd.errors import CODES


class FieldError(serializers.Serializer):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer):
    """RFC 9457, application/problem+json."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldError(many=True, required=False)  # type: ignore[assignment] # RFC 9457 names it so


ANY_CALL = ("invalid", "rate_limited", "not_acceptable", "service_unavailable", "internal_error")
ANY_POST = ("parse_error", "payload_too_large", "unsupported_media_type")
WITH_KEY = ("idempotency_in_progress", "idempotency_key_reused")


def _header(name: str, description: str, statuses: Sequence[int]) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, response=list(statuses)
    )


def _key_headers(status: int) -> list[OpenApiParameter]:
    """What a call under an Idempotency-Key takes and gives."""
    return [
        OpenApiParameter(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            OpenApiParameter.HEADER,
            description="1 to 255 visible ASCII characters. The first good answer is kept under it for 24 hours.",
        ),
        _header("Idempotent-Replayed", "true where this is the kept answer, and nothing was done.", [status]),
    ]


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
    parameters: list[Any] = [_header("X-Request-ID", "Names the request in the server's log.", [status])]
    if query is not None:
        parameters.append(query)
    if cached:
        responses[304] = OpenApiResponse(description="What If-None-Match names is still true.")
        parameters += [
            _header("X-Cache", "HIT, MISS or BYPASS.", [status, 304]),
            _header("ETag", "Weak, of the data without `source`.", [status, 304]),
            OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER),
        ]

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
