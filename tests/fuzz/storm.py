"""schemathesis over the project's own OpenAPI document, through the door, with every check that it has."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.specs.openapi.schemas import OpenApiSchema
from schemathesis.transport.wsgi import WSGI_TRANSPORT, WSGITransport

from bcraftd.pagination import cursor_to
from market.selectors import ORDERINGS
from tests.fuzz.door import Door
from tests.fuzz.world import PASSWORD, REFRESH_TOKEN, TOKEN
from tests.support import schema as closed_schema

# How often a value of this world stands where the schema would let any of its kind stand.
OFTEN, MOSTLY = 0.6, 0.9
Names = Mapping[str, list[Any]]
PHASES = ("examples", "coverage", "fuzzing", "stateful")


def _dictionaries(named: Names) -> dict[str, list[Any]]:
    newest, cheapest = cursor_to(["-id"], [2**62]), cursor_to(ORDERINGS["unit_price"][0], [0, 1])
    return {
        **named,
        "token": [REFRESH_TOKEN],
        "login": ["fuzzer"],
        "password": [PASSWORD],
        "newest": [newest],
        "cheapest": [cheapest],
    }


def _bound(dictionary: str, probability: float = OFTEN) -> dict[str, Any]:
    return {"dictionary": dictionary, "probability": probability}


def _parameters(named: Names) -> dict[str, Any]:
    paths = {f"path.{name}": _bound(name) for name in named}
    bodies = {f"body.{name}": _bound(name) for name in ("resource_id", "recipe_id")}
    queries = {f"query.{name}": _bound(name) for name in ("resource_id", "seller_id", "profession_id")}
    return {
        **paths,
        **bodies,
        **queries,
        "query.cursor": _bound("newest", MOSTLY),
        "header.X-Session-ID": _bound("session_id", MOSTLY),
        "body.refresh_token": _bound("token"),
        "body.old_password": _bound("password"),
    }


def _operations() -> list[dict[str, Any]]:
    return [
        {
            "include-name": "POST /api/auth/login",
            "parameters": {"body.login": _bound("login"), "body.password": _bound("password")},
        },
        {
            "include-name": "GET /api/market/listings",
            "parameters": {"query.cursor": _bound("cheapest", MOSTLY)},
        },
    ]


def _settings(named: Names, *, seed: int, examples: int, phases: tuple[str, ...], signed_in: bool) -> dict[str, Any]:
    """As in a schemathesis.toml. All checks are on, because none is named."""
    values: dict[str, Any] = {
        "seed": seed,
        "workers": 1,
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "cache": {"enabled": False},
        # Nothing here is anybody's secret, and a command that lacks the password shows nothing.
        "output": {"sanitization": {"enabled": False}, "truncation": {"enabled": False}},
        "dictionaries": {name: {"values": found} for name, found in _dictionaries(named).items()},
        "parameters": _parameters(named),
        "operations": _operations(),
        "generation": {"max-examples": examples, "database": "none", "no-shrink": True},
        "phases": {name: {"enabled": name in phases} for name in PHASES},
    }
    # One will do for the checks of methods: the trap table has them all.
    values["phases"]["coverage"]["unexpected-methods"] = ["PATCH"]
    if signed_in:
        values["auth"] = {"openapi": {"accessToken": {"bearer": TOKEN}}}
    return values


# --- What a schema cannot say -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Excuse:
    """A failure of a check that is none: `holds` gets the problem that was answered and the body that was sent."""

    check: str
    reason: str
    holds: Callable[[Mapping[str, Any], Any], bool]


def _only(field: str, problem: Mapping[str, Any]) -> bool:
    return {row["field"] for row in problem.get("errors", ())} == {field}


def _codes(problem: Mapping[str, Any]) -> set[str]:
    return {row["code"] for row in problem.get("errors", ())}


WEAK = {"password_too_common", "password_entirely_numeric", "password_too_similar"}
EXCUSES = [
    Excuse(
        "positive_data_acceptance",
        "A cursor is opaque: a schema can tell its alphabet, and not which ones a list has given.",
        lambda problem, body: _only("cursor", problem),
    ),
    Excuse(
        "positive_data_acceptance",
        "Which old password is right no schema tells.",
        lambda problem, body: _only("old_password", problem),
    ),
    Excuse(
        "positive_data_acceptance",
        "Which passwords are common, or like the login, no schema tells; that they are not only digits could be told,"
        " but in no pattern that reads all the digits of Unicode everywhere.",
        lambda problem, body: bool(_codes(problem)) and _codes(problem) <= WEAK,
    ),
    Excuse(
        "positive_data_acceptance",
        "A key that an earlier case has used for another call.",
        lambda problem, body: problem["code"] == "idempotency_key_reused",
    ),
    Excuse(
        "positive_data_acceptance",
        "To JSON Schema 1.0 is an integer. Here it is none, and docs/api.md says so.",
        lambda problem, body: (
            {name for name, value in body.items() if isinstance(value, float)}
            >= {row["field"] for row in problem.get("errors", ())}
            > set()
        ),
    ),
]


def excused(check: str, case: Any, response: Any) -> bool:
    """Whether a failed check is the schema language's fault."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        return False
    body = case.body if isinstance(case.body, dict) else {}
    return any(excuse.check == check and "code" in problem and excuse.holds(problem, body) for excuse in EXCUSES)


# --- Running ------------------------------------------------------------------------------------------------


class _Transport(WSGITransport):
    """Without what only a network has: the probes of ignored_auth hand it on, and werkzeug does not know it (4.32)."""

    def send(self, case: Any, *, session: Any = None, **kwargs: Any) -> Any:
        for name in ("max_redirects", "verify", "cert", "proxies"):
            if session is None:
                kwargs.pop(name, None)
        return super().send(case, session=session, **kwargs)


_TRANSPORT = _Transport()
_TRANSPORT._copy_serializers_from(WSGI_TRANSPORT)


class _Schema(OpenApiSchema):
    transport = _TRANSPORT


@dataclass
class Result:
    """What one storm came to."""

    cases: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def checks_known() -> set[str]:
    """The names of all checks that this schemathesis has."""
    load_all_checks()
    return set(CHECKS.get_all_names())


def storm(
    door: Door,
    *,
    seed: int,
    examples: int,
    phases: tuple[str, ...] = PHASES,
    signed_in: bool = True,
    only: str | None = None,
) -> Result:
    """One run of schemathesis. `examples` is how many random cases each operation gets; `only` names a path."""
    settings = _settings(door.world.values, seed=seed, examples=examples, phases=phases, signed_in=signed_in)
    config = SchemathesisConfig.from_dict(settings)
    document = json.loads(json.dumps(closed_schema()))
    if only is not None:
        document["paths"] = {only: document["paths"][only]}
    if signed_in:
        _leave_out(document, "X-Session-ID")
    schema = _Schema(raw_schema=document, config=config.projects.get(document), app=door)
    schema.hook("filter_failure")(_keep)
    result = Result()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(event, result)
        elif isinstance(event, events.NonFatalError):
            result.failures.append(f"{event.label}: {event.info.title}: {event.info.message}")
    return result


def _leave_out(document: dict[str, Any], header: str) -> None:
    """For a header that would have nearly every request refused before anything else is looked at."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [row for row in operation.get("parameters", ()) if row["name"] != header]


def _keep(context: Any, failure: Any, case: Any, response: Any) -> bool:
    return not any(excused(check, case, response) for check in failure.checks)


def _note(event: Any, result: Result) -> None:
    result.cases += len(event.recorder.cases)
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            result.checks[check.name] += 1
            if check.failure_info is not None:
                failure, response = check.failure_info.failure, event.recorder.interactions[case_id].response
                answered = f"{response.status_code} {response.content[:300]!r}" if response else "no answer"
                result.failures.append(
                    f"{event.label}: {check.name}: {failure.title}: {failure.message}\n"
                    f"  {answered}\n  {check.failure_info.code_sample}"
                )
