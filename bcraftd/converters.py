"""Path parts."""


class IdConverter:
    """A row's id: 1 to 2^63-1, so that a larger number is an unknown path and not a database error."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if not 1 <= number < 2**63:
            raise ValueError
        return number

    def to_url(self, value: int) -> str:
        return str(value)
