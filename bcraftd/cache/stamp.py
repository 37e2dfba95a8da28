"""What every cached value ends with: which Redis it was stored in, its family's generation, and when.

The stamp is the last member of the JSON object, so that `redis-cli GET` still shows JSON, and it has one length,
so that taking it off is one slice:

    {"resources":[...],"cached":"1f0c9a3e-5b1c0de2f4a69788-1764015000123"}
                                  run      generation       milliseconds since the epoch

The run names the server process (Redis calls it `run_id`). A server that was started again has loaded what its
last append-only file or snapshot held, which may be older than what it had acknowledged: no value of an earlier
run is ever served, whoever restarted it and whatever it loaded.
"""

import time
from datetime import UTC, datetime

NO_GENERATION = "-" * 16
NO_RUN = "-" * 8

_HEAD = b',"cached":"'
# `,"cached":"` run `-` generation `-` milliseconds `"}`
LENGTH = 11 + 8 + 1 + 16 + 1 + 13 + 2
# The part that has to be right: from the head up to the milliseconds.
PROVED = 11 + 8 + 1 + 16 + 1


def proof(run: str, generation: str) -> bytes:
    """What a valid value's stamp begins with. `generation` is "" where the family has none."""
    return b"%s%s-%s-" % (_HEAD, run.encode(), (generation or NO_GENERATION).encode())


def put(body: bytes, run: str, generation: str) -> bytes:
    """A JSON object of one member or more, with its stamp, as it is stored."""
    return b'%s%s%013d"}' % (body[:-1], proof(run, generation), int(time.time() * 1000))


def take(stored: bytes, run: str, generation: str) -> bytes | None:
    """The object as it goes out, None where it is of another run or generation."""
    cut = len(stored) - LENGTH
    if stored[cut : cut + PROVED] != proof(run, generation):
        return None
    return stored[:cut] + b"}"


def split(stored: bytes) -> tuple[bytes, str, str, datetime] | None:
    """The object, its run, its generation ("" for none) and when it was stored; None where there is no stamp."""
    cut = len(stored) - LENGTH
    if cut < 1 or stored[cut : cut + 11] != _HEAD:
        return None
    run, generation, moment = (
        stored[cut + start : cut + end].decode() for start, end in ((11, 19), (20, 36), (37, 50))
    )
    found = "" if generation == NO_GENERATION else generation
    return stored[:cut] + b"}", run, found, datetime.fromtimestamp(int(moment) / 1000, UTC)
