"""Paths of accounts, under /api/."""

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("auth/register", views.Register.as_view()),
    path("auth/login", views.Login.as_view()),
    path("auth/refresh", views.Refresh.as_view()),
    path("auth/logout", views.Logout.as_view()),
    path("auth/password", views.Password.as_view()),
    path("auth/me", views.Me.as_view()),
    path("auth/sessions", views.Sessions.as_view()),
    path("auth/sessions/<session:session_id>", views.OneSession.as_view()),
    path("players/<id:player_id>", views.Profile.as_view()),
    path("wallet/entries", views.WalletEntries.as_view()),
]
