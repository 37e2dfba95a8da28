"""What the one line says that a request leaves in the log, beside what django-structlog puts there."""

from typing import Any

import structlog
from django.dispatch import receiver
from django.http import HttpRequest
from django_structlog.signals import bind_extra_request_finished_metadata, bind_extra_request_metadata


@receiver(bind_extra_request_metadata)
def _with_address(request: HttpRequest, **rest: Any) -> None:
    """The client's address, which EdgeMiddleware has found out already, on every line of the request."""
    structlog.contextvars.bind_contextvars(ip=request.META["REMOTE_ADDR"])


@receiver(bind_extra_request_finished_metadata)
def _with_program(request: HttpRequest, log_kwargs: dict[str, Any], **rest: Any) -> None:
    log_kwargs["user_agent"] = request.META.get("HTTP_USER_AGENT")
