"""Paths of the inventory, under /api/."""

from django.urls import path

from inventory.api import views

urlpatterns = [
    path("resources", views.Resources.as_view()),
    path("resources/<id:resource_id>", views.OneResource.as_view()),
    path("recipes", views.Recipes.as_view()),
    path("recipes/known", views.KnownRecipes.as_view()),
    path("recipes/<id:recipe_id>", views.OneRecipe.as_view()),
    path("professions", views.Professions.as_view()),
    path("professions/<id:profession_id>/join", views.JoinProfession.as_view()),
    path("inventory", views.Inventory.as_view()),
    path("inventory/movements", views.Movements.as_view()),
    path("gather", views.Gather.as_view()),
    path("craft", views.Craft.as_view()),
]
