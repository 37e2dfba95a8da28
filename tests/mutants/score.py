"""Judging a run: how many of the mutants were noticed, file by file, and which were not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# At least so many percent of all mutants must be killed.
LEAST = 90.0

# What became of a mutant, by its process's exit status. A test failed; or the time or the processor's share ran out.
# Whatever is not here survived: tests that passed (0), none to run (33), a process that could not do its work.
KILLED = {1, 24, 36, 152, -24}
REASONS = {0: "every test passed", 5: "no test calls it", 33: "no test calls it", None: "not run"}


@dataclass(frozen=True, slots=True)
class Score:
    """One file's, or that of all."""

    killed: int
    mutants: int
    survivors: list[tuple[str, str]] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Of no mutants none was killed: a run that found nothing to do has shown nothing."""
        return 100 * self.killed / self.mutants if self.mutants else 0.0

    @property
    def enough(self) -> bool:
        """Whether the score is what the project asks for. 89.99 is not 90."""
        return self.percent >= LEAST


def judged(statuses: Mapping[str, int | None]) -> Score:
    """The score of mutants whose processes ended so."""
    survivors = [
        (name, REASONS.get(status, f"its process ended with status {status}"))
        for name, status in statuses.items()
        if status not in KILLED
    ]
    return Score(len(statuses) - len(survivors), len(statuses), survivors)


def together(scores: Mapping[str, Score]) -> Score:
    """The score of all files."""
    return Score(
        sum(score.killed for score in scores.values()),
        sum(score.mutants for score in scores.values()),
        [each for score in scores.values() for each in score.survivors],
    )


def statuses_of(mutants: Path, path: Path) -> dict[str, int | None]:
    """What mutmut wrote down for one file: mutant to exit status."""
    found: dict[str, int | None] = json.loads((mutants / f"{path}.meta").read_text())["exit_code_by_key"]
    return found
