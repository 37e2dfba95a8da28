"""The report's plots, as SVG: the same bytes for the same results."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench import report

COLOURS = {
    "ours": "#2a9d8f",
    "off": "#e9c46a",
    "prototype": "#e76f51",
    "prototype_bare": "#f4a261",
    "prototype_typed": "#d4a373",
    "drf": "#264653",
    "orm_cache": "#577590",
}
STYLE: dict[str, Any] = {
    # Ids that do not change from run to run, and text that stays text.
    "svg.hashsalt": "bench",
    "svg.fonttype": "none",
    "figure.autolayout": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
PERCENTS = ("0.1", "1", "5", "10", "25", "50", "75", "90", "95", "99", "99.5", "99.9")


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draws what was measured; returns the files."""
    mpl.rcParams.update(STYLE)
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = results["scenarios"]
    drawn = []
    for scenario, plots in PLOTS.items():
        for name, (title, plot) in plots.items():
            if scenario in scenarios:
                figure, axes = plt.subplots(figsize=(8, 4))
                axes.set_title(title)
                plot(axes, scenarios[scenario])
                path = folder / f"{name}.svg"
                figure.savefig(path, metadata={"Date": None, "Creator": None})
                plt.close(figure)
                drawn.append(path)
    return drawn


def _middle(scenario: Mapping[str, Any], variant: str, *keys: str) -> float:
    values = []
    for sample in report.samples_of(scenario, variant):
        value: Any = sample
        for key in keys:
            value = value[key]
        values.append(float(value))
    return median(values)


def _requests(axes: Axes, scenario: Mapping[str, Any]) -> None:
    variants = [name for name in report.variants_of(scenario) if name != "redis"][::-1]
    values = [_middle(scenario, name, "rps") for name in variants]
    bars = axes.barh(
        [report.name_of("read", name) for name in variants], values, color=[COLOURS[name] for name in variants]
    )
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xlabel("requests/s, one worker, 64 connections")


def _latency(axes: Axes, scenario: Mapping[str, Any]) -> None:
    for name in report.variants_of(scenario):
        if name != "redis":
            values = [_middle(scenario, name, "latency", percent) for percent in PERCENTS]
            axes.plot(values, [float(percent) for percent in PERCENTS], label=report.name_of("read", name),
                      color=COLOURS[name])  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("percent of answers within")
    axes.legend(fontsize=8)


def _queries(axes: Axes, scenario: Mapping[str, Any]) -> None:
    variants = report.variants_of(scenario)
    lower = [0.0] * len(variants)
    kinds = [*report.STATEMENTS, "BEGIN, COMMIT and such"]
    for kind in kinds:
        values = []
        for name in variants:
            samples = report.samples_of(scenario, name)
            if kind in report.STATEMENTS:
                values.append(median(sample["sql"].get(kind, 0) / sample["requests"] for sample in samples))
            else:
                values.append(median(report.other_statements(sample) for sample in samples))
        if any(values):
            axes.barh([report.name_of("mix", name) for name in variants], values, left=lower, label=kind)
            lower = [before + value for before, value in zip(lower, values, strict=True)]
    axes.set_xlabel("statements for each request")
    axes.legend(fontsize=8, loc="lower right")


def _capacity(axes: Axes, scenario: Mapping[str, Any]) -> None:
    for name in report.variants_of(scenario):
        tried = sorted(
            (row["connections"], row["latency"]["99"])
            for sample in report.samples_of(scenario, name) for row in sample["tried"]
        )  # fmt: skip
        axes.plot([row[0] for row in tried], [row[1] for row in tried], "o", markersize=4, color=COLOURS[name],
                  label=report.name_of("capacity", name))  # fmt: skip
        axes.axvline(_middle(scenario, name, "connections"), color=COLOURS[name], linestyle=":")
    axes.axhline(50, color="grey", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("connections")
    axes.set_ylabel("p99 in milliseconds")
    axes.legend(fontsize=8)


def _growth(axes: Axes, scenario: Mapping[str, Any]) -> None:
    variants = report.variants_of(scenario)
    for percent in ("50", "99"):
        values = [_middle(scenario, name, "latency", percent) for name in variants]
        axes.plot([report.name_of("growth", name) for name in variants], values, "o-", label=f"p{percent}")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("milliseconds for a miss")
    axes.legend(fontsize=8)


PLOTS = {
    "read": {
        "requests": ("A warm page of 50 listings", _requests),
        "latency": ("Latency of a warm page of 50 listings", _latency),
    },
    "mix": {"queries": ("Statements for each request of the mix", _queries)},
    "capacity": {"capacity": ("p99 of the mix by connections; dotted: the capacity", _capacity)},
    "growth": {"growth": ("A miss by size of the world", _growth)},
}
