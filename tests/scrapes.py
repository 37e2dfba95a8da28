"""What /metrics says, for the tests that ask it."""

from typing import Any
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

# A sample's name and its labels.
Key = tuple[str, frozenset[tuple[str, str]]]
Samples = dict[Key, float]


def samples(text: str) -> Samples:
    """Every sample of a scrape. Fails where a metric is declared twice."""
    found = list(text_string_to_metric_families(text))
    names = [metric.name for metric in found]
    assert len(names) == len(set(names)), "a metric stands there twice"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for metric in found for sample in metric.samples
    }


def scrape(url: str) -> Samples:
    """A scrape of a live server over a connection of its own, so that any of its processes may answer."""
    with urlopen(Request(f"{url}/metrics", headers={"Connection": "close"}), timeout=60) as answer:  # noqa: S310 - ours
        return samples(answer.read().decode())


def total(found: Samples, name: str, **labels: Any) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = {(label, str(value)) for label, value in labels.items()}
    return sum(value for (of, theirs), value in found.items() if of == name and wanted <= theirs)


def labels(found: Samples, name: str, label: str) -> set[str]:
    """The values that a label of a metric has."""
    return {dict(theirs)[label] for of, theirs in found if of == name}
