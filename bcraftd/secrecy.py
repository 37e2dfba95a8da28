"""Whether a secret could be guessed: known from an example, or not made at random."""

from itertools import pairwise

# What stands in examples, documentation and repositories where a secret belongs. Each has six letters or more, so that
# of a million random tokens one holds one of them by chance.
PLACEHOLDERS = (
    "insecure", "changeme", "changethis", "replaceme", "replacethis", "placeholder", "default", "example", "password",
    "passwort", "secret", "signingkey", "testsonly", "fortests", "typechecker", "letmein", "qwerty", "bcraftd",
)  # fmt: skip
# What servers come with, and what people give them for now.
FACTORY = frozenset({"admin", "guest", "ops", "pass", "postgres", "redis", "root", "test", "user", "valkey"})

MIN_DIFFERENT = 8
MIN_STEPS = 8


def is_known(secret: str) -> bool:
    """Whether it is, or holds, what stands in examples."""
    plain = "".join(letter for letter in secret.lower() if letter.isalnum())
    return plain in FACTORY or any(word in plain for word in PLACEHOLDERS)


def is_uniform(secret: str) -> bool:
    """Whether it has too little variety for a random value: one letter repeated, or a sequence as 0123456789abcdef,
    whose letters differ and whose steps from one to the next do not."""
    steps = {ord(after) - ord(before) for before, after in pairwise(secret)}
    return len(set(secret)) < MIN_DIFFERENT or len(steps) < MIN_STEPS
