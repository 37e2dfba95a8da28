"""A value to try the cache on: the professions, which one save makes stale and every reader may read."""

from bcraftd.cache import Answer
from inventory.cache import PROFESSIONS
from inventory.models import Profession

PATH = "/api/professions"
KEY = "catalogue:professions"


def rename(name: str) -> None:
    """A write: the first profession's name."""
    first = Profession.objects.order_by("pk")[0]
    first.name = name
    first.save()


def read() -> tuple[str, str]:
    """How the professions came, and the first one's name."""
    answer: Answer | None = PROFESSIONS.get()
    assert answer is not None
    return answer.outcome, answer.data()["professions"][0]["name"]
