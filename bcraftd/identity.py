"""Who a request speaks for. No database row: what the session says is enough for most of the API."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A player whose token is good and whose session lives."""

    id: int
    login: str
    role: str
    session_id: str
    is_authenticated: bool = True
    is_active: bool = True

    @property
    def pk(self) -> int:
        return self.id


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular."""

    id: None = None
    pk: None = None
    role: str = ""
    is_authenticated: bool = False
    is_active: bool = False
