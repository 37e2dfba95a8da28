"""Paths of the leaderboard, under /api/."""

from django.urls import path

from leaderboard.api import views

urlpatterns = [
    path("leaderboard", views.Leaderboard.as_view()),
    path("leaderboard/me", views.MyPlace.as_view()),
]
