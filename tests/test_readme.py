"""The README's tour is what a newcomer types: it is replayed as it stands, against a server of its own."""

import json
import os
import re
import subprocess

from tests import live
from tests.programs import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")


def tour() -> str:
    """Every bash block of the tour, in order."""
    section = README.split("## A tour with curl")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL))


def test_the_tour_plays_from_registering_to_the_leaderboard(world: None) -> None:
    with live.server() as url:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", tour()],
            cwd=ROOT,
            env=environment(API=f"{url}/api"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    answers = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    weather, trade = answers[2], next(row for row in answers if "trade" in row)
    assert set(weather) == {"weather", "season", "timestamp"}
    assert (trade["trade"]["total_price"], trade["coins"]) == (12, 988)
    place = next(row for row in answers if "around" in row)
    assert place["row"]["login"].startswith("ada-")
    assert place["rank"] == 1
    assert answers[-1]["coins"] == 1012
    assert answers[-1]["statistics"]["sales_count"] == 1
    assert "x-cache: HIT" in run.stdout
    assert "family" in run.stdout


def test_the_readme_names_the_two_commands_and_links_to_files_that_are_there() -> None:
    assert "make up " in README
    assert "make test " in README
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_makefile_has_what_the_readme_and_contributing_name() -> None:
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    ).stdout
    targets = {line.split()[0] for line in listed.splitlines()}
    assert {"up", "test", "lint", "clean", "help"} <= targets
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets
