"""What the calls of accounts take and give."""

from typing import Any

from rest_framework import serializers

from accounts.models import MAX_LEVEL, Role
from accounts.rules import LEVEL_BADGES, NEWCOMER, RANK_BADGES
from bcraftd.converters import SessionConverter
from bcraftd.fields import ShownAmount, ShownChange, ShownId, StrictSerializer, Text

LOGIN = r"^[A-Za-z0-9_-]{3,32}\Z"
# Narrower than Django's own: ASCII, because PostgreSQL takes some letters outside it for the capitals of others, and
# two addresses would be one.
EMAIL = (
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9]{1,59})\Z"
)
SESSION = f"^{SessionConverter.regex}$"
BADGES = [name for _, name in (*RANK_BADGES, *LEVEL_BADGES)] + [NEWCOMER]


class NewPassword(Text):
    """What Django's validators look at: they name every rule that it breaks, so that none is a field's."""

    def shown(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[^\x00]{8,128}$"}


class RegisterBody(StrictSerializer):
    login = Text(max_length=32, pattern=LOGIN)
    email = Text(max_length=254, pattern=EMAIL, message="Enter a valid email address.")
    # The upper bound keeps one request from hashing a megabyte.
    password = NewPassword(max_length=128)


class LoginBody(StrictSerializer):
    login = Text(max_length=254)
    password = Text(max_length=128)


class RefreshBody(StrictSerializer):
    refresh_token = Text(max_length=4096)


class PasswordBody(StrictSerializer):
    old_password = Text(max_length=128)
    new_password = NewPassword(max_length=128)


class Registered(serializers.Serializer):
    id = ShownId()
    login = serializers.CharField()


class Tokens(serializers.Serializer):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(["bearer"])
    expires_in = serializers.IntegerField(min_value=1, help_text="Seconds.")
    session_id = serializers.RegexField(SESSION)


class LoggedOut(serializers.Serializer):
    status = serializers.ChoiceField(["logged_out"])


class Changed(serializers.Serializer):
    status = serializers.ChoiceField(["changed"])


class OwnProfession(serializers.Serializer):
    id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    level = serializers.IntegerField(min_value=1)
    experience = ShownAmount()
    rank = serializers.CharField()


class Statistics(serializers.Serializer):
    items_crafted = ShownAmount()
    items_gathered = ShownAmount()
    sales_count = ShownAmount()
    sales_value = ShownAmount()
    purchases_count = ShownAmount()
    purchases_value = ShownAmount()


class Me(serializers.Serializer):
    id = ShownId()
    login = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(Role.values)
    coins = ShownAmount()
    level = serializers.IntegerField(min_value=1, max_value=MAX_LEVEL)
    experience = ShownAmount()
    professions = OwnProfession(many=True)
    statistics = Statistics()


class Session(serializers.Serializer):
    session_id = serializers.RegexField(SESSION)
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    user_agent = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    current = serializers.BooleanField()


class Sessions(serializers.Serializer):
    sessions = Session(many=True)


class Profile(serializers.Serializer):
    id = ShownId()
    login = serializers.CharField()
    level = serializers.IntegerField(min_value=1, max_value=MAX_LEVEL)
    badge = serializers.ChoiceField(BADGES)
    global_score = serializers.FloatField(allow_null=True)
    rank = serializers.IntegerField(min_value=1, allow_null=True)


class WalletEntry(serializers.Serializer):
    id = ShownId()
    amount = ShownChange(help_text="Signed coins.")
    reason = serializers.CharField()
    reference = serializers.CharField()
    created_at = serializers.DateTimeField()


class Wallet(serializers.Serializer):
    entries = WalletEntry(many=True)
    next = serializers.CharField(allow_null=True)
