"""How passwords are hashed: Django's argon2, a few at a time."""

import threading

from django.contrib.auth.hashers import Argon2PasswordHasher

# One hash takes 100 MiB while it is reckoned. Without a bound, guesses from as many addresses as there are threads
# would take that for each thread at once; with it they wait for each other, as they do for the processor anyway.
AT_ONCE = 4
_free = threading.BoundedSemaphore(AT_ONCE)


class BoundedArgon2(Argon2PasswordHasher):
    """The same hashes: a process only never reckons more than AT_ONCE of them at the same moment."""

    def encode(self, password: str, salt: str) -> str:
        with _free:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _free:
            return super().verify(password, encoded)
