"""What every test has at hand: real servers (tests/servers.py), an empty world, and a client of the API."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from whitenoise.middleware import WhiteNoiseMiddleware

from bcraftd.cache import background, store
from tests.mutants import worker
from tests.support import Api, catalogue_again, clean_world


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, migrated. pytest-django makes one only for tests that carry its mark, and its mark
    flushes and migrates again after each test with real commits, which takes longer than the tests do."""
    if template := os.environ.get(worker.TEMPLATE):
        with django_db_blocker.unblock():
            worker.own_servers(template)
        yield
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
        connection.close()
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.support.QuickArgon2"]


@pytest.fixture(scope="session", autouse=True)
def _static_files_found_once() -> Iterator[None]:
    """Each client of Django's makes the middlewares anew, and WhiteNoise then looks for every static file: a third of
    most tests' time."""
    found: dict[str, Any] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def once(self: Any) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@pytest.fixture
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The seeded catalogue, no players, an empty Redis. Commits are real; what a test leaves is removed after it."""
    from bcraftd import schedules
    from environment.seeding import environment_seed

    with django_db_blocker.unblock():
        # A test before this one may have gone without Redis.
        store.breaker.close(store.breaker.trips)
        clean_world()
        catalogue_again()
        environment_seed()
        schedules.upsert()
        store.client().flushdb()
        yield
        background.flush()
        connection.close()


@pytest.fixture
def api(world: None) -> Api:
    """A client that nobody has signed in with."""
    return Api()


@pytest.fixture
def sign_up(api: Api) -> Callable[..., Api]:
    """`sign_up("ada")` registers a player, logs in and gives a client of its own."""

    def make(login: str = "ada") -> Api:
        return Api.signed_up(login, "correct horse battery")

    return make


@pytest.fixture
def ada(sign_up: Callable[..., Api]) -> Api:
    """A signed-in player."""
    return sign_up("ada")


@pytest.fixture
def bob(sign_up: Callable[..., Api]) -> Api:
    """Another one."""
    return sign_up("bob")
