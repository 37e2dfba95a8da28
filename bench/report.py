"""From raw samples to ratios, claims and tables: what bench/results/latest.json and docs/performance.md say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")

Sample = Mapping[str, Any]
Round = Mapping[str, Sample]
Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ratio:
    """What is compared within each round of a scenario, and what is wanted of it.

    wanted: "at least" or "at most" `target`; None where nothing is.
    """

    scenario: str
    variants: tuple[str, str]
    text: str
    of: Callable[[Sample, Sample], float]
    target: float | None = None
    at_most: bool = False
    percent: bool = False

    def shown(self, value: float | None) -> str:
        """A value as it stands in a table."""
        if value is None:
            return "not measured"
        return f"{100 * value:.1f} %" if self.percent else f"{value:.2f}x"

    def wanted(self) -> str:
        if self.target is None:
            return "-"
        return f"{'at most' if self.at_most else 'at least'} {self.shown(self.target)}"

    def met(self, value: float | None) -> str:
        """yes, no, or - where nothing is wanted or known."""
        if value is None or self.target is None:
            return "-"
        return "yes" if (value <= self.target if self.at_most else value >= self.target) else "**no**"


def statements(sample: Sample) -> float:
    """Statements that read or wrote for each request; what begins and ends transactions is not among them."""
    return float(sum(sample["sql"].get(kind, 0) for kind in STATEMENTS) / sample["requests"])


def other_statements(sample: Sample) -> float:
    """The rest for each request: BEGIN, COMMIT, savepoints, settings."""
    counted = sum(calls for kind, calls in sample["sql"].items() if kind != "TRIGGER")
    return float(counted / sample["requests"]) - statements(sample)


def _rps(ours: Sample, other: Sample) -> float:
    return float(ours["rps"]) / float(other["rps"])


def _saved_statements(ours: Sample, other: Sample) -> float:
    return 1 - statements(ours) / statements(other)


def _saved_median(ours: Sample, other: Sample) -> float:
    return 1 - float(ours["latency"]["50"]) / float(other["latency"]["50"])


def _connections(ours: Sample, other: Sample) -> float:
    return float(ours["connections"]) / max(1.0, float(other["connections"]))


def _medians(ours: Sample, other: Sample) -> float:
    return float(ours["latency"]["50"]) / float(other["latency"]["50"])


def _p99_to_p50(ours: Sample, other: Sample) -> float:
    return float(ours["latency"]["99"]) / float(other["latency"]["50"])


RATIOS: dict[str, Ratio] = {
    "guarded_warm_vs_prototype": Ratio(
        "read", ("ours", "prototype"), "warm page with token, session and limit, to the prototype's", _rps, 20
    ),
    "bare_warm_vs_prototype": Ratio(
        "read", ("ours", "prototype_bare"), "the same to the prototype's handler without its middlewares", _rps, 12
    ),
    "redis_ceiling_share": Ratio(
        "read", ("ours", "redis"), "the same as a share of redis-benchmark's GETs of that page", _rps, 0.04,
        percent=True,
    ),
    "mix_sql_saved": Ratio(
        "mix", ("ours", "off"), "statements for each request of the mix that the cache saves", _saved_statements, 0.9,
        percent=True,
    ),
    "mix_rps_vs_off": Ratio("mix", ("ours", "off"), "requests/s of the mix, to the cache switched off", _rps, 10),
    "median_saved_1conn": Ratio(
        "alone", ("ours", "off"), "median time of the mix at one connection that the cache saves", _saved_median, 0.3,
        percent=True,
    ),
    "capacity_vs_off": Ratio(
        "capacity", ("ours", "off"), "connections of the mix with a p99 under 50 ms, to the cache switched off",
        _connections, 16,
    ),
    "buy_vs_orm": Ratio("buy", ("ours", "drf"), "purchases/s over HTTP, to plain DRF and ORM", _rps, 3),
    "buy_pgbench_share": Ratio(
        "buy", ("ours", "pgbench"), "purchases/s over HTTP as a share of pgbench's", _rps, 0.15, percent=True
    ),
    "miss_vs_serializer": Ratio(
        "miss", ("ours", "drf"), "pages/s that no cache holds, to DRF's ModelSerializers", _rps
    ),
    "miss_1m_vs_10k": Ratio(
        "growth", ("listings_1m", "listings_10k"), "time of a miss among a million listings, to ten thousand", _medians,
        1.5, at_most=True,
    ),
}  # fmt: skip
# Wanted beside those.
P99 = Ratio(
    "read", ("ours", "prototype"), "our p99 of the warm page, to the prototype's p50", _p99_to_p50, 1, at_most=True
)

# What the prototype says of its own cache: the claim, the ratio that shows it, and the least value that meets it.
CLAIMS = (
    ("70 % fewer database queries", "mix_sql_saved", 0.7),
    ("30 % shorter response time", "median_saved_1conn", 0.3),
    ("500 % more capacity", "capacity_vs_off", 6.0),
)

NAMES = {
    "ours": "ours",
    "off": "ours, CACHE_ENABLED=false",
    "prototype": "prototype: FastAPI, middlewares",
    "prototype_bare": "prototype, handler alone",
    "prototype_typed": "prototype, handler alone, with a response model",
    "drf": "DRF, cache.get",
    "orm_cache": "DRF, cachalot",
    "redis": "redis-benchmark GET",
    "pgbench": "pgbench, the same SQL",
    "listings_10k": "10,000 listings",
    "listings_100k": "100,000 listings",
    "listings_1m": "1,000,000 listings",
}
# The same server is something else there.
OTHER_NAMES = {("buy", "drf"): "DRF and ORM", ("miss", "drf"): "DRF, ModelSerializer"}


def name_of(scenario: str, variant: str) -> str:
    """How a variant is called."""
    return OTHER_NAMES.get((scenario, variant), NAMES[variant])


def paired(ratio: Ratio, scenarios: Mapping[str, Any]) -> list[float]:
    """The ratio of each round that has both variants, so that what disturbs a whole round disturbs both."""
    ours, other = ratio.variants
    rounds: Sequence[Round] = scenarios.get(ratio.scenario, {}).get("rounds", [])
    return [ratio.of(each[ours], each[other]) for each in rounds if ours in each and other in each]


def summary(scenarios: Mapping[str, Any]) -> dict[str, Any]:
    """`ratios` (medians over the rounds, None where not measured), `spread` (least and most) and `claims`."""
    values = {name: paired(ratio, scenarios) for name, ratio in RATIOS.items()}
    ratios = {name: round(median(found), 4) if found else None for name, found in values.items()}
    p99 = paired(P99, scenarios)
    return {
        "ratios": ratios,
        "spread": {name: [round(min(found), 4), round(max(found), 4)] for name, found in values.items() if found},
        "p99_vs_prototype_p50": round(median(p99), 4) if p99 else None,
        "claims": [
            {"claim": text, "ratio": name, "claimed": least, "measured": ratios[name], "met": _met(ratios[name], least)}
            for text, name, least in CLAIMS
        ],
    }


def _met(value: float | None, least: float) -> bool | None:
    return None if value is None else value >= least


# --- Tables --------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def claims_table(results: Results) -> str:
    rows = []
    for claim in results["claims"]:
        ratio = RATIOS[claim["ratio"]]
        met = {None: "-", True: "yes", False: "**no**"}[claim["met"]]
        measured = ratio.shown(claim["measured"])
        rows.append([claim["claim"], ratio.text, ratio.shown(claim["claimed"]), measured, met])
    return table(["the prototype's claim", "measured as", "claimed", "measured", "met"], rows)


def targets_table(results: Results) -> str:
    rows = []
    for name, ratio in RATIOS.items():
        value, spread = results["ratios"][name], results["spread"].get(name)
        between = f"{ratio.shown(spread[0])} to {ratio.shown(spread[1])}" if spread else "-"
        rows.append([f"`{name}`", ratio.text, ratio.wanted(), ratio.shown(value), between, ratio.met(value)])
    p99 = results["p99_vs_prototype_p50"]
    rows.append(["", P99.text, P99.wanted(), P99.shown(p99), "-", P99.met(p99)])
    return table(["ratio", "what", "wanted", "median", "least to most", "met"], rows)


def _middle(samples: Sequence[Sample], of: Callable[[Sample], float]) -> tuple[float, float, float]:
    values = [of(sample) for sample in samples]
    return median(values), min(values), max(values)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def variants_of(scenario: Mapping[str, Any]) -> list[str]:
    """In the order in which they are named above."""
    return [name for name in NAMES if name in scenario["rounds"][0]]


def samples_of(scenario: Mapping[str, Any], variant: str) -> list[Sample]:
    return [each[variant] for each in scenario["rounds"]]


def scenario_table(name: str, scenario: Mapping[str, Any]) -> str:
    """What each variant of a scenario measured: medians over the rounds, and the spread of the requests a second."""
    if name == "capacity":
        rows = []
        for variant in variants_of(scenario):
            middle, least, most = _middle(samples_of(scenario, variant), lambda sample: sample["connections"])
            rows.append([name_of(name, variant), f"{middle:.0f}", f"{least:.0f} to {most:.0f}"])
        return table(["variant", "connections", "least to most"], rows)
    rows = []
    for variant in variants_of(scenario):
        samples = samples_of(scenario, variant)
        middle, least, most = _middle(samples, lambda sample: sample["rps"])
        row = [name_of(name, variant), _rounded(middle), f"{_rounded(least)} to {_rounded(most)}"]
        for percent in ("50", "99"):
            known = [sample["latency"][percent] for sample in samples if percent in sample["latency"]]
            row.append(_rounded(median(known)) if known else "-")
        counted = all("sql" in sample for sample in samples)
        row += [
            f"{median(of(sample) for sample in samples):.2f}" if counted else "-"
            for of in (statements, other_statements)
        ]
        rows.append(row)
    head = [
        "variant",
        "requests/s",
        "least to most",
        "p50 ms",
        "p99 ms",
        "statements a request",
        "BEGIN, COMMIT and so",
    ]
    return table(head, rows)


def kinds_table(scenario: Mapping[str, Any]) -> str:
    """The mix by kind of request and status, all rounds together."""
    rows = []
    names = sorted({name for each in scenario["rounds"] for sample in each.values() for name in sample["kinds"]})
    for name in names:
        row = [name.replace(":", " ")]
        for variant in variants_of(scenario):
            found = [sample["kinds"][name] for sample in samples_of(scenario, variant) if name in sample["kinds"]]
            row.append(f"{sum(kind['count'] for kind in found):,}")
            row += [_rounded(median(kind[percent] for kind in found)) if found else "-" for percent in ("p50", "p99")]
        rows.append(row)
    head = ["kind and status"]
    for variant in variants_of(scenario):
        head += [f"{name_of('mix', variant)}: answers", "p50 ms", "p99 ms"]
    return table(head, rows)


TITLES = {
    "read": "A page of 50 listings, warm",
    "mix": "The mix at 64 connections",
    "alone": "The mix at one connection",
    "capacity": "Capacity: connections of the mix with a p99 under 50 ms",
    "buy": "Purchases at 64 connections",
    "miss": "Pages that no cache holds, at 64 connections",
    "growth": "A page that no cache holds, at one connection, by size of the world",
}
PLOTS = {
    "read": ["requests", "latency"],
    "mix": ["queries"],
    "capacity": ["capacity"],
    "growth": ["growth"],
}


def markdown(results: Results) -> str:
    """What stands between the markers."""
    machine = results["machine"]
    parts = [
        f"Measured {results['date']} on {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB,"
        f" {machine['system']}, Python {machine['python']}; commit {results['commit']}. One worker against one worker,"
        " everything on this one machine, the load's own programs too.\n",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) + ".\n",
        "### The prototype's claims\n",
        claims_table(results),
        "### Targets\n",
        targets_table(results),
    ]
    for name, title in TITLES.items():
        scenario = results["scenarios"].get(name)
        if not scenario:
            continue
        parts += [f"### {title}\n", f"{len(scenario['rounds'])} rounds, {scenario['date']}.\n"]
        parts.append(scenario_table(name, scenario))
        if name == "mix":
            parts.append(kinds_table(scenario))
        parts += [f"![{title}: {plot}](performance/{plot}.svg)\n" for plot in PLOTS.get(name, [])]
    parts += [f"Not measured in this run: {name}: {why}\n" for name, why in results["failed"].items()]
    totals = results["audit"]["totals"]
    parts.append(
        f"After all of it the economy's audit went over {totals['entries']:,} ledger entries and"
        f" {totals['movements']:,} movements, DRF's purchases among them, and found nothing wrong.\n"
    )
    return "\n".join(parts)


def inserted(page: str, generated: str) -> str:
    """A page with what is between the markers replaced. Raises ValueError where they are not both there, once."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs one {BEGIN} and one {END}")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{generated}\n{END}{rest.partition(END)[2]}"
