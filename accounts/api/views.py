"""Accounts over HTTP."""

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import lockout, selectors, services
from accounts.api import serializers
from accounts.tokens import TokenPair
from bcraftd.api import ApiView, PublicView, json_answer
from bcraftd.errors import Refusal
from bcraftd.fields import Page
from bcraftd.schema import SIGNED_IN, documented


def _tokens(pair: TokenPair) -> HttpResponse:
    return json_answer(
        {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": "bearer",
            "expires_in": pair.expires_in,
            "session_id": pair.session_id,
        }
    )


class Register(PublicView):
    limit = "register"

    @documented(
        body=serializers.RegisterBody, answer=serializers.Registered, status=201, errors=["login_taken", "email_taken"]
    )
    def post(self, request: Request) -> HttpResponse:
        """A new player, with the starting coins."""
        player = services.player_register(**self.body(serializers.RegisterBody))
        return json_answer({"id": player.pk, "login": player.login}, 201)


class Login(PublicView):
    limit = "login"

    @documented(body=serializers.LoginBody, answer=serializers.Tokens, errors=["bad_credentials"])
    def post(self, request: Request) -> HttpResponse:
        """Opens a session."""
        given = self.body(serializers.LoginBody)
        raw = request._request
        with lockout.guarded(raw, given["login"]):
            player = services.player_authenticate(request=raw, **given)
        lockout.succeeded(raw, player)
        return _tokens(
            services.session_open(
                player=player, user_agent=raw.META.get("HTTP_USER_AGENT", ""), address=raw.META["REMOTE_ADDR"]
            )
        )


class Refresh(PublicView):
    @documented(body=serializers.RefreshBody, answer=serializers.Tokens, errors=["token_invalid", "session_expired"])
    def post(self, request: Request) -> HttpResponse:
        """New tokens for an old refresh token, which works once."""
        return _tokens(services.session_refresh(**self.body(serializers.RefreshBody)))


class Logout(ApiView):
    @documented(answer=serializers.LoggedOut, errors=SIGNED_IN)
    def post(self, request: Request) -> HttpResponse:
        """Ends this session: its tokens are dead at once, everywhere."""
        self.body()
        services.session_end(player_id=self.player.id, session_id=self.player.session_id)
        return json_answer({"status": "logged_out"})


class Password(ApiView):
    limit = "login"

    @documented(body=serializers.PasswordBody, answer=serializers.Changed, errors=[*SIGNED_IN, "conflict"])
    def post(self, request: Request) -> HttpResponse:
        """Changes the password; all other sessions end."""
        given, raw = self.body(serializers.PasswordBody), request._request
        with lockout.guarded(raw, self.player.login):
            try:
                services.password_change(principal=self.player, **given)
            except Refusal as refusal:
                # Who has a token and guesses the password is held as one who has none.
                if any(error["code"] == "wrong" for error in refusal.errors):
                    lockout.failed(raw, self.player.login)
                raise
        return json_answer({"status": "changed"})


class Me(ApiView):
    @documented(answer=serializers.Me, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The signed-in player."""
        self.query()
        return json_answer(selectors.me_get(self.player.id))


class Sessions(ApiView):
    @documented(answer=serializers.Sessions, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The player's live sessions, newest first."""
        self.query()
        return json_answer({"sessions": selectors.sessions_of(self.player)})


class OneSession(ApiView):
    @documented(status=204, errors=[*SIGNED_IN, "not_found"])
    def delete(self, request: Request, session_id: str) -> HttpResponse:
        """Ends one of the player's sessions."""
        services.session_end(player_id=self.player.id, session_id=session_id)
        response = HttpResponse(status=204)
        del response["Content-Type"]
        return response


class Profile(PublicView):
    @documented(answer=serializers.Profile, errors=["not_found"])
    def get(self, request: Request, player_id: int) -> HttpResponse:
        """A player's public page."""
        self.query()
        profile = selectors.profile_get(player_id=player_id)
        if profile is None:
            raise Refusal("not_found")
        return json_answer(profile)


class WalletEntries(ApiView):
    @documented(query=Page, answer=serializers.Wallet, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The player's ledger entries, newest first."""
        return json_answer(selectors.wallet_page(player_id=self.player.id, **self.query(Page)))
