"""The environment over HTTP."""

from django.http import HttpResponse
from rest_framework.request import Request

from bcraftd.api import PublicView, cached_answer, json_answer
from bcraftd.schema import documented
from environment import selectors
from environment.api import serializers


class Current(PublicView):
    @documented(answer=serializers.Environment, cached=True)
    def get(self, request: Request) -> HttpResponse:
        """Weather and season."""
        self.query()
        return cached_answer(request, selectors.environment_current())


class CurrentWeather(PublicView):
    @documented(answer=serializers.Multipliers, cached=True, errors=["not_found"])
    def get(self, request: Request) -> HttpResponse:
        """The weather alone."""
        self.query()
        return cached_answer(request, selectors.weather_current())


class Forecast(PublicView):
    @documented(query=serializers.ForecastQuery, answer=serializers.ForecastAnswer)
    def get(self, request: Request) -> HttpResponse:
        """The weather from now on: what will happen unless the operators set it."""
        return json_answer({"forecast": selectors.forecast(**self.query(serializers.ForecastQuery))})
