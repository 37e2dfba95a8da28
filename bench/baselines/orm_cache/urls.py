"""The page of ModelSerializers under our own path: its query is what cachalot keeps."""

from django.urls import path

from bench.baselines.orm_cache import views

urlpatterns = [path("api/market/listings", views.MinutelyListings.as_view())]
