"""Writes of the inventory: gathering, crafting, and the one way to move items."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts import services as accounts
from accounts.models import Player, SystemAccount, bounded
from bcraftd import randomness
from bcraftd.cache import changed
from bcraftd.errors import Refusal
from bcraftd.leveling import level_at
from bcraftd.transactions import atomic
from environment import selectors as environment
from inventory import rules, selectors
from inventory.models import (
    MAX_AMOUNT,
    MAX_PROFESSION_LEVEL,
    MAX_PROFESSIONS,
    InventoryItem,
    ItemMovement,
    PlayerProfession,
    Profession,
    Recipe,
    Resource,
)

_MOVE = "SELECT refused, detail, held FROM items_move(%s, %s::bigint[], %s::bigint[], %s, %s, %s, %s)"


@atomic
def items_move(*, player_id: int, moves: Mapping[int, int], reason: str, reference: str = "") -> dict[int, int]:
    """The one way to move items: a movement for each resource, and the quantity held beside it, by inventory/sql.py.

    The caller has locked the player, which is what makes two changes of one inventory follow each other.
    `moves` maps resource ids to signed quantities; zeros are left out. Returns what is then held of each.
    Raises Refusal `insufficient_items` or `balance_limit`.
    """
    signed = {resource_id: bounded(quantity) for resource_id, quantity in sorted(moves.items()) if quantity}
    if not signed:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            [player_id, list(signed), list(signed.values()), reason, reference, timezone.now(), MAX_AMOUNT],
        )
        refused, detail, held = cursor.fetchone()
    if refused:
        raise Refusal(refused, detail)
    changed([InventoryItem(player_id=player_id)])
    return dict(zip(signed, held, strict=True))


@atomic
def profession_join(*, player_id: int, profession_id: int) -> tuple[PlayerProfession, bool]:
    """Joins a profession; joined already, it stays as it is. Returns it and whether it is new.

    Raises Refusal `not_found` or `profession_limit`.
    """
    accounts.players_lock([player_id])
    profession = Profession.objects.filter(pk=profession_id).first()
    if profession is None:
        raise Refusal("not_found")
    joined = {row.profession_id: row for row in PlayerProfession.objects.filter(player_id=player_id)}
    if profession_id in joined:
        joined[profession_id].profession = profession
        return joined[profession_id], False
    if len(joined) >= MAX_PROFESSIONS:
        raise Refusal("profession_limit", f"A player joins at most {MAX_PROFESSIONS} professions.")
    taken = {row.slot for row in joined.values()}
    slot = next(number for number in range(1, MAX_PROFESSIONS + 1) if number not in taken)
    return PlayerProfession.objects.create(player_id=player_id, profession=profession, slot=slot), True


@atomic
def resource_gather(*, player_id: int, resource_id: int) -> dict[str, Any]:
    """One gathering action. Raises Refusal `not_found`, `not_gatherable` or `profession_required`."""
    player = accounts.players_lock([player_id])[player_id]
    resource = Resource.objects.select_related("rarity").filter(pk=resource_id).first()
    if resource is None:
        raise Refusal("not_found", f"There is no resource {resource_id}.")
    if not resource.gatherable or resource.profession_id is None:
        raise Refusal("not_gatherable", f"{resource.name} is made, not gathered.")
    practised = _practised(player_id, resource.profession_id)
    quantity = rules.gather_yield(
        drop_weight=resource.rarity.drop_weight,
        multipliers=environment.conditions_now().gathering,
        level=practised.level,
        chance=randomness.source(),
    )
    experience = rules.gather_experience(resource.rarity.value_multiplier)
    items_move(player_id=player_id, moves={resource_id: quantity}, reason=ItemMovement.Reason.GATHER)
    accounts.statistics_add(player_id=player_id, items_gathered=quantity)
    _experience_add(player, practised, experience)
    return {
        "status": "success",
        "resource_id": resource_id,
        "quantity": quantity,
        "experience_gained": experience,
        "profession_level": practised.level,
        "level": player.level,
    }


@atomic
def recipe_craft(*, player_id: int, recipe_id: int, attempts: int) -> dict[str, Any]:
    """A batch of attempts at a recipe, paid for whole.

    Raises Refusal `not_found`, `profession_required`, `level_too_low` or `insufficient_items`.
    """
    player = accounts.players_lock([player_id])[player_id]
    recipe = Recipe.objects.filter(pk=recipe_id).first()
    if recipe is None:
        raise Refusal("not_found", f"There is no recipe {recipe_id}.")
    practised = _practised(player_id, recipe.profession_id)
    if practised.level < recipe.required_level:
        raise Refusal(
            "level_too_low", f"{recipe.name} needs level {recipe.required_level}; yours is {practised.level}."
        )
    consumed = {
        resource_id: quantity * attempts
        for resource_id, quantity in selectors.ingredients_of([recipe.pk])[recipe.pk].items()
    }
    result = rules.craft_result(
        attempts=attempts,
        success_rate=recipe.success_rate,
        output_quantity=recipe.output_quantity,
        multipliers=environment.conditions_now().crafting,
        level=practised.level,
        base_experience=recipe.base_experience,
        chance=randomness.source(),
    )
    reference = f"recipe:{recipe.pk}"
    spent = {resource_id: -quantity for resource_id, quantity in consumed.items()}
    made = {recipe.output_resource_id: result.produced}
    items_move(player_id=player_id, moves=spent, reason=ItemMovement.Reason.CRAFT_IN, reference=reference)
    items_move(player_id=player_id, moves=made, reason=ItemMovement.Reason.CRAFT_OUT, reference=reference)
    accounts.statistics_add(player_id=player_id, items_crafted=result.produced)
    _experience_add(player, practised, result.experience)
    return {
        "status": "success",
        "recipe_id": recipe.pk,
        "attempts": attempts,
        "successes": result.successes,
        "produced": _amounts({resource_id: quantity for resource_id, quantity in made.items() if quantity}),
        "consumed": _amounts(consumed),
        "experience_gained": result.experience,
        "profession_level": practised.level,
        "level": player.level,
    }


def _amounts(quantities: Mapping[int, int]) -> list[dict[str, int]]:
    return [{"resource_id": resource_id, "quantity": quantity} for resource_id, quantity in quantities.items()]


def _practised(player_id: int, profession_id: int) -> PlayerProfession:
    """The player's profession. Raises Refusal `profession_required`."""
    row = PlayerProfession.objects.filter(player_id=player_id, profession_id=profession_id).first()
    if row is None:
        raise Refusal("profession_required", f"This needs profession {profession_id}. Join it first.")
    return row


def _experience_add(player: Player, practised: PlayerProfession, amount: int) -> None:
    """Gives the profession and the player the same XP."""
    if amount <= 0:
        return
    practised.experience = min(practised.experience + amount, MAX_AMOUNT)
    level = level_at(practised.experience, MAX_PROFESSION_LEVEL)
    # The cached recipes depend on the level alone: a save that does not name it leaves them be.
    columns = ["experience"] if level == practised.level else ["experience", "level"]
    practised.level = level
    practised.save(update_fields=columns)
    accounts.experience_add(player=player, amount=amount)


@atomic
def player_grant(*, login: str, coins: int, items: Mapping[str, int]) -> dict[str, Any]:
    """Gives coins from the mint and items, on the record. Returns what the player then has of them.

    Raises Refusal `not_found` for an unknown login or resource slug, `invalid` for an amount below one.
    """
    found = Player.objects.filter(login__iexact=login).values_list("pk", flat=True).first()
    if found is None:
        raise Refusal("not_found", f"There is no player {login}.")
    player = accounts.players_lock([found])[found]
    resources = dict(Resource.objects.filter(slug__in=items).values_list("slug", "pk"))
    unknown = sorted(set(items) - set(resources))
    if unknown:
        raise Refusal("not_found", f"There is no resource {', '.join(unknown)}.")
    if coins < 0 or any(quantity < 1 for quantity in items.values()):
        raise Refusal("invalid", "What is granted must be at least one.")
    if coins:
        accounts.coins_transfer(moves={SystemAccount.MINT: -coins, player: coins}, reason="grant")
    moves = {resources[slug]: quantity for slug, quantity in items.items()}
    held = items_move(player_id=player.pk, moves=moves, reason=ItemMovement.Reason.GRANT)
    return {"login": player.login, "coins": player.coins, "items": {slug: held[resources[slug]] for slug in items}}
