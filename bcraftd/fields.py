"""Serializer fields and bases that take nothing for anything else: `true` and `"1"` are not numbers in a body."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.core.validators import RegexValidator
from django.http import HttpRequest, QueryDict
from rest_framework import serializers

MAX_ID = 2**63 - 1
MAX_AMOUNT = 2**53 - 1
# PostgreSQL keeps no NUL in a text. The schema says so too, which would otherwise promise to take one.
NO_NUL = r"^[^\x00]*\Z"
CURSOR = r"^[A-Za-z0-9_-]+\Z"
# A longer query string is read anew each time: there are as many as a client likes to make up.
MAX_REMEMBERED = 1024
_INTEGER = re.compile(r"-?[0-9]{1,19}")


class BodyInteger(serializers.IntegerField):
    """A JSON number without fraction."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class QueryInteger(serializers.IntegerField):
    """Decimal digits in a query string."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not _INTEGER.fullmatch(data):
            self.fail("invalid")
        return int(data)


class QueryFlag(serializers.BooleanField):
    """`true` or `false` in a query string."""

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid", input=data)
        return bool(data == "true")


class Text(serializers.CharField):
    """A string, kept as it is; a number or `true` is not one.

    pattern: what all of it has to match, in what Python's and JavaScript's regular expressions have in common but
    for the end, which is \\Z here. The schema shows it.
    """

    def __init__(self, *, pattern: str = NO_NUL, message: str | None = None, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        self.pattern = pattern
        # NO_NUL is for the schema alone: DRF refuses a NUL by itself.
        if pattern != NO_NUL:
            self.validators.append(RegexValidator(pattern, message))

    def shown(self) -> dict[str, Any]:
        """The field in the schema, without its lengths."""
        return {"type": "string", "pattern": self.pattern.replace(r"\Z", "$")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class BodyId(BodyInteger):
    """The id of a row, in a body."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **options)


class QueryId(QueryInteger):
    """The id of a row, in a query string."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **options)


class ShownId(serializers.IntegerField):
    """The id of a row, in an answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **options)


class ShownAmount(serializers.IntegerField):
    """Coins, pieces, experience: what is counted, in an answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_AMOUNT, **options)


class ShownChange(serializers.IntegerField):
    """An amount that came (positive) or went (negative), in an answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=-MAX_AMOUNT, max_value=MAX_AMOUNT, **options)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, so that a misspelt one is not silently ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                message = serializers.ErrorDetail("This field is not known.", code="unknown")
                raise serializers.ValidationError({name: [message] for name in unknown})
        return super().to_internal_value(data)


def Source() -> Any:
    """Where a cached answer came from. Serializers have an attribute of that name, hence no plain declaration."""
    return serializers.ChoiceField(["cache", "database"])


class Empty(StrictSerializer):
    """No field at all: for a call that takes no body or no query."""


class Page(StrictSerializer):
    """The paging parameters of every list."""

    limit = QueryInteger(min_value=1, max_value=100, default=50)
    cursor = Text(required=False, max_length=512, pattern=CURSOR)


def query_values(request: HttpRequest, kind: type[StrictSerializer]) -> dict[str, Any]:
    """The query string as validated values. Raises ValidationError, also for a parameter given twice."""
    text = request.META.get("QUERY_STRING", "")
    read = _query_values if len(text) <= MAX_REMEMBERED else _query_values.__wrapped__
    return dict(read(text, kind))


@lru_cache(maxsize=4096)
def _query_values(text: str, kind: type[StrictSerializer]) -> dict[str, Any]:
    """What a query string says is the same each time, and a serializer that is made anew copies all of its fields."""
    # As WSGIRequest.GET reads it.
    given = QueryDict(text.encode("iso-8859-1"))
    repeated = [name for name, values in given.lists() if len(values) > 1]
    if repeated:
        raise serializers.ValidationError({name: ["This parameter is given twice."] for name in repeated})
    serializer = kind(data=given.dict())
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def body_values(data: Any, kind: type[StrictSerializer]) -> dict[str, Any]:
    """The parsed body as validated values. Raises ValidationError, also where it is not an object."""
    if not isinstance(data, Mapping):
        raise serializers.ValidationError({"body": ["The body must be a JSON object."]})
    serializer = kind(data=dict(data))
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
