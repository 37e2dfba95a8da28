"""simplejwt's authentication, and the session that the token names: one query for both."""

from typing import Any

from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import Token

from bench.baselines.drf.models import PlayerSession


class SessionTokenAuthentication(JWTAuthentication):
    def get_user(self, validated_token: Token) -> Any:
        session = PlayerSession.objects.select_related("player").filter(session_id=validated_token["sid"]).first()
        if session is None or not session.player.is_active or str(session.player_id) != validated_token["player_id"]:
            raise AuthenticationFailed("session_expired")
        return session.player
