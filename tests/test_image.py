"""What the Dockerfile promises to whoever deploys this."""

import json
import re
import subprocess
import sys
import tomllib

from bcraftd import role
from tests.composition import DOCKERFILE, ROOT, SERVICES, settings


def test_the_image_runs_as_a_user_that_is_not_root() -> None:
    users = re.findall(r"(?m)^USER (.+)$", DOCKERFILE)
    assert users == ["10001:10001"]
    last_copy = DOCKERFILE.rindex("\nCOPY ")
    assert DOCKERFILE.index("\nUSER ") > last_copy
    assert "--chown" not in DOCKERFILE


def test_the_image_is_built_on_python_3_11_from_hashed_wheels() -> None:
    assert re.findall(r"(?m)^FROM (\S+)", DOCKERFILE) == ["python:3.11-slim"] * 2
    for option in ("--require-hashes", "--only-binary=:all:", "--no-deps", "requirements-runtime.lock"):
        assert option in DOCKERFILE


def test_the_image_serves_on_port_8000_and_says_whether_it_lives() -> None:
    assert "\nEXPOSE 8000\n" in DOCKERFILE
    match = re.search(r"(?m)^HEALTHCHECK .*CMD (\[[^\]]*\\\n.*\])$", DOCKERFILE)
    assert match is not None
    command = json.loads(match[1].replace("\\\n", ""))
    compile(command[-1], "HEALTHCHECK", "exec")
    assert "'http://127.0.0.1:' + (os.environ.get('PORT') or '8000') + '/healthz'" in command[-1]


def test_every_role_of_the_image_is_one_that_it_has() -> None:
    match = re.search(r"(?m)^CMD (\[.*\])$", DOCKERFILE)
    assert match is not None
    assert json.loads(match[1]) == SERVICES["api"]["command"]
    for name in role.ROLES:
        assert SERVICES[name]["command"] == ["python", "-m", "bcraftd.role", name]


def test_granian_knows_every_option_that_the_role_gives_it() -> None:
    python, *module, application = role.granian()
    assert (python, module[:2], application) == (sys.executable, ["-m", "granian"], "bcraftd.wsgi:application")
    usage = subprocess.run(
        [sys.executable, "-m", "granian", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = [word for word in module if word.startswith("--")]
    assert {"--host", "--port", "--workers", "--blocking-threads", "--respawn-failed-workers"} <= set(options)
    for option in options:
        assert re.search(rf"{option}\b", usage), option


def test_an_instance_has_the_time_to_drain_and_to_finish() -> None:
    drain = int(settings()["DRAIN_SECONDS"] or "")
    assert int(SERVICES["api"]["stop_grace_period"].removesuffix("s")) >= drain + role.KILL_SECONDS + 5


def test_the_image_holds_every_package_of_the_project_and_nothing_else() -> None:
    packages = {path.parent.name for path in ROOT.glob("[!.]*/__init__.py")} - {"tests", "bench"}
    copied = set(re.findall(r"(?m)^COPY (\w+) \1$", DOCKERFILE))
    assert packages <= copied
    allowed = set(re.findall(r"(?m)^!(\S+)$", (ROOT / ".dockerignore").read_text()))
    assert allowed == copied | {"manage.py", "requirements-runtime.lock"}


def test_the_runtime_lock_is_the_part_of_the_whole_lock_that_serving_needs() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text()
        found = re.findall(r"(?m)^([a-z0-9-]+)==(\S+)[^\n]*\\\n    --hash=sha256:", text)
        assert len(found) == len(re.findall(r"(?m)^[a-z0-9]", text)), "every package has a hash"
        return dict(found)

    runtime, whole = pins("requirements-runtime.lock"), pins("requirements.lock")
    assert runtime.items() <= whole.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {re.split(r"[<>=\[;~ ]", line)[0] for line in project["project"]["dependencies"]}
    assert named <= runtime.keys()
    development = {
        re.split(r"[<>=\[;~ ]", line)[0] for line in project["dependency-groups"]["dev"] if isinstance(line, str)
    }
    assert not (development - {"jsonschema"}) & runtime.keys()
