"""Path parts."""


class IdConverter:
    """A row's id: 1 to 2^63-1, so that a larger number is an unknown path and not a database error. It is written in
    one way only, without zeros in front."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number >= 2**63:
            raise ValueError
        return number

    def to_url(self, value: int) -> str:
        return str(value)


class SessionConverter:
    """A session's id, as secrets.token_urlsafe writes it: a NUL, say, is an unknown path and not a database error."""

    regex = "[A-Za-z0-9_-]{1,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
