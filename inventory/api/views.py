"""The inventory and work over HTTP."""

from django.http import HttpResponse
from rest_framework.request import Request

from bcraftd.api import ApiView, PublicView, cached_answer, idempotent, json_answer
from bcraftd.fields import Page
from bcraftd.schema import SIGNED_IN, documented
from inventory import selectors, services
from inventory.api import serializers


class Resources(PublicView):
    @documented(query=serializers.ResourcesQuery, answer=serializers.Resources, cached=True)
    def get(self, request: Request) -> HttpResponse:
        """The catalogue of resources."""
        query = self.query(serializers.ResourcesQuery)
        return cached_answer(request, selectors.resources_list(**query), source=True)


class OneResource(PublicView):
    @documented(answer=serializers.Resource, cached=True, errors=["not_found"])
    def get(self, request: Request, resource_id: int) -> HttpResponse:
        """One resource."""
        self.query()
        return cached_answer(request, selectors.resource_get(resource_id))


class Recipes(PublicView):
    @documented(query=serializers.RecipesQuery, answer=serializers.Recipes, cached=True)
    def get(self, request: Request) -> HttpResponse:
        """The catalogue of recipes."""
        query = self.query(serializers.RecipesQuery)
        return cached_answer(request, selectors.recipes_list(**query), source=True)


class OneRecipe(PublicView):
    @documented(answer=serializers.Recipe, cached=True, errors=["not_found"])
    def get(self, request: Request, recipe_id: int) -> HttpResponse:
        """One recipe."""
        self.query()
        return cached_answer(request, selectors.recipe_get(recipe_id))


class KnownRecipes(ApiView):
    @documented(answer=serializers.KnownRecipes, cached=True, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """What the player's professions and levels allow, and what is lacking for each."""
        self.query()
        return cached_answer(request, selectors.known_recipes(self.player.id), private=True, source=True)


class Professions(PublicView):
    @documented(answer=serializers.Professions, cached=True)
    def get(self, request: Request) -> HttpResponse:
        """The catalogue of professions."""
        self.query()
        return cached_answer(request, selectors.professions_list(), source=True)


class JoinProfession(ApiView):
    @documented(
        answer=serializers.JoinedProfession,
        status=201,
        also={200: serializers.JoinedProfession},
        errors=[*SIGNED_IN, "not_found", "profession_limit"],
    )
    def post(self, request: Request, profession_id: int) -> HttpResponse:
        """Joins a profession; joined already, 200 and the same."""
        self.body()
        row, new = services.profession_join(player_id=self.player.id, profession_id=profession_id)
        return json_answer(selectors.profession_shown(row), 201 if new else 200)


class Inventory(ApiView):
    @documented(answer=serializers.Inventory, cached=True, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """What the player holds."""
        self.query()
        return cached_answer(request, selectors.inventory_get(self.player.id), private=True, source=True)


class Movements(ApiView):
    @documented(query=Page, answer=serializers.Movements, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The player's item movements, newest first."""
        return json_answer(selectors.movements_page(player_id=self.player.id, **self.query(Page)))


class Gather(ApiView):
    limit = "gather"

    @documented(
        body=serializers.GatherBody,
        answer=serializers.Gathered,
        errors=[*SIGNED_IN, "not_found", "not_gatherable", "profession_required", "balance_limit"],
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """One gathering action."""
        return json_answer(services.resource_gather(player_id=self.player.id, **self.body(serializers.GatherBody)))


class Craft(ApiView):
    limit = "craft"

    @documented(
        body=serializers.CraftBody,
        answer=serializers.Crafted,
        errors=[
            *SIGNED_IN, "not_found", "profession_required", "level_too_low", "insufficient_items", "balance_limit",
        ],
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """A batch of attempts at a recipe."""
        body = self.body(serializers.CraftBody)
        return json_answer(
            services.recipe_craft(player_id=self.player.id, recipe_id=body["recipe_id"], attempts=body["quantity"])
        )
