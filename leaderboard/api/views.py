"""The leaderboard over HTTP."""

from django.http import HttpResponse
from rest_framework.request import Request

from bcraftd.api import ApiView, PublicView, cached_answer, json_answer
from bcraftd.schema import SIGNED_IN, documented
from leaderboard import selectors
from leaderboard.api import serializers


class Leaderboard(PublicView):
    @documented(query=serializers.BoardQuery, answer=serializers.Board, cached=True)
    def get(self, request: Request) -> HttpResponse:
        """A page of a board, as of the last refresh."""
        query = self.query(serializers.BoardQuery)
        return cached_answer(request, selectors.board_get(**query), source=True)


class MyPlace(ApiView):
    @documented(query=serializers.AroundQuery, answer=serializers.Around, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The player's place and those around it."""
        query = self.query(serializers.AroundQuery)
        return json_answer(selectors.board_around(player_id=self.player.id, **query))
