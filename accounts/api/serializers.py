"""What the calls of accounts take and give."""

from rest_framework import serializers

from bcraftd.fields import StrictSerializer, Text

LOGIN = r"^[A-Za-z0-9_-]{3,32}\Z"


class RegisterBody(StrictSerializer):
    login = Text(max_length=32)
    email = serializers.EmailField(max_length=254)
    # The upper bound keeps one request from hashing a megabyte.
    password = Text(max_length=128)

    def validate_login(self, value: str) -> str:
        return str(serializers.RegexField(LOGIN, trim_whitespace=False).run_validation(value))


class LoginBody(StrictSerializer):
    login = Text(max_length=254)
    password = Text(max_length=128)


class RefreshBody(StrictSerializer):
    refresh_token = Text(max_length=4096)


class PasswordBody(StrictSerializer):
    old_password = Text(max_length=128)
    new_password = Text(max_length=128)


class Registered(serializers.Serializer):
    id = serializers.IntegerField()
    login = serializers.CharField()


class Tokens(serializers.Serializer):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(["bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds.")
    session_id = serializers.CharField()


class Status(serializers.Serializer):
    status = serializers.CharField()


class OwnProfession(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    level = serializers.IntegerField()
    experience = serializers.IntegerField()
    rank = serializers.CharField()


class Statistics(serializers.Serializer):
    items_crafted = serializers.IntegerField()
    items_gathered = serializers.IntegerField()
    sales_count = serializers.IntegerField()
    sales_value = serializers.IntegerField()
    purchases_count = serializers.IntegerField()
    purchases_value = serializers.IntegerField()


class Me(serializers.Serializer):
    id = serializers.IntegerField()
    login = serializers.CharField()
    email = serializers.CharField()
    role = serializers.CharField()
    coins = serializers.IntegerField()
    level = serializers.IntegerField()
    experience = serializers.IntegerField()
    professions = OwnProfession(many=True)
    statistics = Statistics()


class Session(serializers.Serializer):
    session_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    user_agent = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    current = serializers.BooleanField()


class Sessions(serializers.Serializer):
    sessions = Session(many=True)


class Profile(serializers.Serializer):
    id = serializers.IntegerField()
    login = serializers.CharField()
    level = serializers.IntegerField()
    badge = serializers.CharField()
    global_score = serializers.FloatField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)


class WalletEntry(serializers.Serializer):
    id = serializers.IntegerField()
    amount = serializers.IntegerField(help_text="Signed coins.")
    reason = serializers.CharField()
    reference = serializers.CharField()
    created_at = serializers.DateTimeField()


class Wallet(serializers.Serializer):
    entries = WalletEntry(many=True)
    next = serializers.CharField(allow_null=True)
