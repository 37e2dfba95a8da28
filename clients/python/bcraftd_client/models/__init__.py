"""Contains all the data models used in inputs/outputs"""

from .amount import Amount
from .around import Around
from .badge_enum import BadgeEnum
from .board import Board
from .board_sort import BoardSort
from .bought import Bought
from .buy_body_request import BuyBodyRequest
from .candle import Candle
from .changed import Changed
from .changed_status_enum import ChangedStatusEnum
from .code_enum import CodeEnum
from .craft_body_request import CraftBodyRequest
from .crafted import Crafted
from .environment import Environment
from .field_error import FieldError
from .forecast_answer import ForecastAnswer
from .gather_body_request import GatherBodyRequest
from .gathered import Gathered
from .history import History
from .history_interval import HistoryInterval
from .interval_enum import IntervalEnum
from .inventory import Inventory
from .item import Item
from .joined_profession import JoinedProfession
from .known_recipe import KnownRecipe
from .known_recipes import KnownRecipes
from .listing import Listing
from .listing_body_request import ListingBodyRequest
from .listing_status_enum import ListingStatusEnum
from .listings import Listings
from .listings_ordering import ListingsOrdering
from .logged_out import LoggedOut
from .logged_out_status_enum import LoggedOutStatusEnum
from .login_body_request import LoginBodyRequest
from .me import Me
from .movement import Movement
from .movements import Movements
from .multipliers import Multipliers
from .my_listings_status import MyListingsStatus
from .own_listings import OwnListings
from .own_profession import OwnProfession
from .password_body_request import PasswordBodyRequest
from .problem import Problem
from .profession import Profession
from .profession_kind_enum import ProfessionKindEnum
from .professions import Professions
from .profile import Profile
from .rank_enum import RankEnum
from .reason_enum import ReasonEnum
from .recipe import Recipe
from .recipes import Recipes
from .refresh_body_request import RefreshBodyRequest
from .register_body_request import RegisterBodyRequest
from .registered import Registered
from .resource import Resource
from .resource_kind_enum import ResourceKindEnum
from .resources import Resources
from .resources_kind import ResourcesKind
from .resources_rarity import ResourcesRarity
from .role_enum import RoleEnum
from .row import Row
from .session import Session
from .sessions import Sessions
from .source_enum import SourceEnum
from .spell import Spell
from .statistics import Statistics
from .success_enum import SuccessEnum
from .summary import Summary
from .token_type_enum import TokenTypeEnum
from .tokens import Tokens
from .trade import Trade
from .trades import Trades
from .wallet import Wallet
from .wallet_entry import WalletEntry

__all__ = (
    "Amount",
    "Around",
    "BadgeEnum",
    "Board",
    "BoardSort",
    "Bought",
    "BuyBodyRequest",
    "Candle",
    "Changed",
    "ChangedStatusEnum",
    "CodeEnum",
    "CraftBodyRequest",
    "Crafted",
    "Environment",
    "FieldError",
    "ForecastAnswer",
    "GatherBodyRequest",
    "Gathered",
    "History",
    "HistoryInterval",
    "IntervalEnum",
    "Inventory",
    "Item",
    "JoinedProfession",
    "KnownRecipe",
    "KnownRecipes",
    "Listing",
    "ListingBodyRequest",
    "Listings",
    "ListingsOrdering",
    "ListingStatusEnum",
    "LoggedOut",
    "LoggedOutStatusEnum",
    "LoginBodyRequest",
    "Me",
    "Movement",
    "Movements",
    "Multipliers",
    "MyListingsStatus",
    "OwnListings",
    "OwnProfession",
    "PasswordBodyRequest",
    "Problem",
    "Profession",
    "ProfessionKindEnum",
    "Professions",
    "Profile",
    "RankEnum",
    "ReasonEnum",
    "Recipe",
    "Recipes",
    "RefreshBodyRequest",
    "RegisterBodyRequest",
    "Registered",
    "Resource",
    "ResourceKindEnum",
    "Resources",
    "ResourcesKind",
    "ResourcesRarity",
    "RoleEnum",
    "Row",
    "Session",
    "Sessions",
    "SourceEnum",
    "Spell",
    "Statistics",
    "SuccessEnum",
    "Summary",
    "Tokens",
    "TokenTypeEnum",
    "Trade",
    "Trades",
    "Wallet",
    "WalletEntry",
)
