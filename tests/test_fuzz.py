"""Whatever is sent, the answer is no 5xx and one that the schema promises: a short run of the fuzzer, and the proof
that it would say so otherwise.

A longer run is `make fuzz`; see tests/fuzz/.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application

from tests import live
from tests.fuzz import storm, wire
from tests.fuzz.curl import command
from tests.fuzz.door import Application, Environ
from tests.fuzz.places import good, operations
from tests.fuzz.runs import Run
from tests.fuzz.traps import KINDS, Trap, table

SEED = 20260131
# Of each part of the trap table one row in so many. None of the numbers divides the number of bad values, so that all
# values come up, and every place gets some of them (of the headers every third one). `make fuzz` takes every row.
EVERY = {"query": 5, "path": 3, "body": 7, "header": 133, "method": 5, "outside": 19}


def no_word(text: str) -> None:
    """Nobody watches."""


@pytest.fixture
def run(world: None) -> Run:
    """Over the project's own application."""
    return Run(get_wsgi_application(), SEED, no_word)


def nothing_is_wrong(run: Run) -> None:
    assert not run.outcome.failures, "\n".join(run.outcome.failures[:5])
    assert not run.outcome.failed
    assert not [status for status in run.outcome.statuses if status >= 500]


# --- The short run ----------------------------------------------------------------------------------------


def test_a_good_request_of_every_operation_is_answered_well(run: Run) -> None:
    with run.door("good requests") as door:
        answers = {
            operation: door.within(partial(lambda each: door.send(good(each, door.world).request()), operation))
            for operation in operations()
        }

    # Without an entry of its own in tests/fuzz/places.py a new operation may need one.
    assert {str(operation): answer.status for operation, answer in answers.items() if answer.status >= 300} == {}
    nothing_is_wrong(run)


@pytest.mark.parametrize("kind", [*KINDS, "outside"])
def test_no_bad_value_in_any_place_is_an_error_of_the_server_or_changes_anything(run: Run, kind: str) -> None:
    run.traps(table(kind)[:: EVERY[kind]])

    assert run.outcome.cases > 80
    nothing_is_wrong(run)


@pytest.mark.parametrize(
    ("phases", "signed_in"),
    [(("examples", "coverage"), True), (("fuzzing", "stateful"), True), (("fuzzing",), False)],
)
def test_schemathesis_finds_nothing(run: Run, phases: tuple[str, ...], signed_in: bool) -> None:
    run.storm(phases, seed=SEED, examples=1, signed_in=signed_in)

    assert run.outcome.cases >= len(operations())
    # All that there are: none is switched off.
    assert set(run.outcome.checks) == storm.checks_known()
    nothing_is_wrong(run)


def test_what_no_http_library_sends_is_refused_too_and_the_next_request_is_served(world: None) -> None:
    with live.server(LOG_LEVEL="CRITICAL") as url:
        faults = [fault for case in wire.everything() if (fault := wire.fault(url, case)) is not None]

    assert faults == []


def test_a_seed_draws_the_same_requests_each_time(run: Run) -> None:
    seen: list[str] = []

    def note(environ: Environ, start_response: Callable[..., Any]) -> Any:
        seen.append(f"{environ['REQUEST_METHOD']} {environ['RAW_URI']}")
        return run.application(environ, start_response)

    for _ in range(2):
        again = Run(note, SEED, no_word)
        again.storm(("fuzzing",), seed=SEED, examples=10, signed_in=True, only="/api/market/listings")

    half = len(seen) // 2
    assert half >= 20
    assert seen[:half] == seen[half:]


# --- It would say so --------------------------------------------------------------------------------------


def broken(application: Application, when: Callable[[Environ], bool], status: str, body: bytes) -> Application:
    """The application with a fault: this answer to some requests."""

    def run(environ: Environ, start_response: Callable[..., Any]) -> Any:
        if not when(environ):
            return application(environ, start_response)
        start_response(status, [("Content-Type", "application/problem+json"), ("X-Request-ID", "12345678")])
        return [body]

    return run


def problem(status: int, code: str) -> bytes:
    members = {"type": f"urn:bcraftd:error:{code}", "title": "x", "status": status, "detail": "x", "code": code}
    return json.dumps({**members, "request_id": "12345678"}).encode()


FAULTS: dict[str, tuple[str, bytes, str]] = {
    "a server error": ("500 Internal Server Error", problem(500, "internal_error"), "a server error: 500"),
    "a page": ("404 Not Found", b"<html>", "a problem that is no JSON"),
    "a status that nobody promised": ("422 Unprocessable", problem(422, "idempotency_key_reused"), "does not promise"),
    "a code that nobody promised": ("404 Not Found", problem(404, "invalid"), "a 404 that says 404 invalid"),
    "an answer where it should refuse": ("200 OK", b"{}", "the schema forbids it, and it is not a 400"),
}


def traps_of(path: str, kind: str) -> list[Trap]:
    return [trap for trap in table(kind) if trap.operation.path == path]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_behind_one_bad_value_is_found_and_named(run: Run, fault: str) -> None:
    status, body, said = FAULTS[fault]
    run.application = broken(run.application, lambda environ: environ["QUERY_STRING"] == "hours=%00", status, body)

    run.traps(traps_of("/api/environment/forecast", "query"))

    assert run.outcome.failed
    assert any(said in failure for failure in run.outcome.failures), run.outcome.failures
    assert all("'http://127.0.0.1:8000/api/environment/forecast?hours=%00'" in each for each in run.outcome.failures)


def test_a_refusal_that_changes_something_is_found(run: Run) -> None:
    original = run.application

    def run_twice(environ: Environ, start_response: Callable[..., Any]) -> Any:
        if environ["QUERY_STRING"] == "nobody-knows=1" and environ["PATH_INFO"] == "/api/gather":
            for _ in original({**environ, "QUERY_STRING": "", "wsgi.input": environ["wsgi.input"]}, lambda *rest: None):
                pass
            environ["CONTENT_LENGTH"] = "0"
        return original(environ, start_response)

    run.application = run_twice
    run.traps(traps_of("/api/gather", "query"))

    assert any("refused, and yet something has changed" in failure for failure in run.outcome.failures)


def test_schemathesis_finds_a_fault_too(run: Run) -> None:
    run.application = broken(
        run.application,
        lambda environ: environ["PATH_INFO"] == "/api/leaderboard" and "offset=0" in environ["QUERY_STRING"],
        "500 Internal Server Error",
        problem(500, "internal_error"),
    )

    run.storm(("coverage",), seed=SEED, examples=1, signed_in=False, only="/api/leaderboard")

    assert any("not_a_server_error" in failure and "curl" in failure for failure in run.outcome.failures)
    assert json.loads(run.outcome.line())["server_errors"] > 0


@pytest.fixture
def main(world: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """`main(application)` is a run of the program over an application: its status, its line, and what it said."""
    from tests.fuzz import __main__ as program

    def fuzz(application: Application) -> tuple[int, dict[str, Any], str]:
        status = program.fuzz(application, cases=60, seed=SEED)
        printed = capsys.readouterr()
        return status, json.loads(printed.out.splitlines()[-1]), printed.err

    return fuzz


def test_the_program_counts_and_is_content(main: Callable[..., tuple[int, dict[str, Any], str]]) -> None:
    status, line, _ = main(get_wsgi_application())

    assert (status, line["server_errors"], line["failures"], line["seed"]) == (0, 0, 0, SEED)
    assert sum(line["by_status"].values()) == line["cases"] >= 60
    assert line["by_source"] == {"trap table": line["cases"]}


def test_the_program_fails_and_says_how_to_see_it_again(main: Callable[..., tuple[int, dict[str, Any], str]]) -> None:
    everything = broken(get_wsgi_application(), lambda environ: True, "500 Oh no", problem(500, "internal_error"))

    status, line, said = main(everything)

    assert (status, line["server_errors"]) == (1, line["cases"])
    assert "curl -i -g --path-as-is -X GET" in said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["curl", "-X", "POST"]),
        (b'{"a": "it\'s"}', ["--data-binary"]),
        (b"\xff\n", [r"$'\xff\x0a'"]),
        (b"a\0b", [r"printf '\x61\x00\x62' | curl"]),
        (b"a" * 5000, ["# the first 4000 of 5000 bytes"]),
    ],
)
def test_a_command_holds_whatever_was_sent(body: bytes, words: list[str]) -> None:
    made = command("POST", b"/api/x?y=%00", [("Accept", b""), ("X", b"\xff")], body)

    assert all(word in made for word in words)
    assert r"$'X: \xff'" in made
    assert "'Accept;'" in made
