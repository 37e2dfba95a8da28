"""What django-q2 runs for the market."""

from market import services


def listings_expire() -> int:
    """Closes overdue listings and gives the items back. Returns how many."""
    return services.listings_expire()
