"""The OpenAPI document and its page over HTTP."""

from typing import Any

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.request import Request

from bcraftd.fields import Empty, query_values

METHODS = ["get", "head"]


class SchemaView(SpectacularAPIView):
    """As drf-spectacular serves it, but like every other call without a query: its own `version` goes into a header,
    where a newline is a server error."""

    http_method_names = METHODS

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        query_values(request._request, Empty)


class DocsView(SpectacularSwaggerView):
    """As drf-spectacular serves it, but without OPTIONS, for which it has no template."""

    http_method_names = METHODS
