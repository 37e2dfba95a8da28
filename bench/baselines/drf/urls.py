"""The cached page stands under our own path; the one without a cache beside it."""

from django.urls import path

from bench.baselines.drf import views

urlpatterns = [
    path("api/market/listings", views.CachedListings.as_view()),
    path("api/serialized/market/listings", views.SerializedListings.as_view()),
    path("api/market/listings/<int:listing_id>/buy", views.Buy.as_view()),
]
