"""Paths of the market, under /api/."""

from django.urls import path

from market.api import views

urlpatterns = [
    path("market/listings", views.Listings.as_view()),
    path("market/listings/mine", views.MyListings.as_view()),
    path("market/listings/<id:listing_id>", views.OneListing.as_view()),
    path("market/listings/<id:listing_id>/buy", views.Buy.as_view()),
    path("market/listings/<id:listing_id>/cancel", views.Cancel.as_view()),
    path("market/trades", views.Trades.as_view()),
    path("market/resources/<id:resource_id>/summary", views.Summary.as_view()),
    path("market/resources/<id:resource_id>/history", views.History.as_view()),
]
