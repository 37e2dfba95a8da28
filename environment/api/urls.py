"""Paths of the environment, under /api/."""

from django.urls import path

from environment.api import views

urlpatterns = [
    path("environment/current", views.Current.as_view()),
    path("environment/weather", views.CurrentWeather.as_view()),
    path("environment/forecast", views.Forecast.as_view()),
]
