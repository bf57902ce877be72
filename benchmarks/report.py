"""What came out: a table, `bench.json`, a plot, and how far labctl is from its goals."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

_ABREAST = 5
"""Figures that a terminal of 80 columns has room for."""


@dataclass
class Figure:
    """A row of the report: the values of each contender, one for each round."""

    name: str
    unit: str
    better: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def median(self, contender: str) -> float | None:
        values = self.values.get(contender)
        return statistics.median(values) if values else None

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "better": self.better,
            "contenders": {
                name: {
                    "median": round(statistics.median(values), 3),
                    "min": round(min(values), 3),
                    "max": round(max(values), 3),
                }
                for name, values in self.values.items()
                if values
            },
        }


@dataclass(frozen=True)
class Goal:
    """A ratio of two medians that is to be reached."""

    words: str
    over: tuple[str, str]
    under: tuple[str, str] | None
    at_least: float | None = None
    at_most: float | None = None


GOALS = (
    Goal("TCP, labctl / socat", ("tcp-1500", "labctl"), ("tcp-1500", "socat"), at_least=9),
    Goal("TCP, labctl / vxlan", ("tcp-1500", "labctl"), ("tcp-1500", "vxlan"), at_least=0.65),
    Goal("TCP of four streams, labctl / vxlan", ("tcp-1500-of-4", "labctl"), ("tcp-1500-of-4", "vxlan"), at_least=0.6),
    Goal("TCP at 65535, labctl / vxlan", ("tcp-65535", "labctl"), ("tcp-65535", "vxlan"), at_least=0.7),
    Goal("UDP 64 bytes, labctl / socat", ("udp-64", "labctl"), ("udp-64", "socat"), at_least=2.4),
    Goal("ping, labctl / socat", ("rtt", "labctl"), ("rtt", "socat"), at_most=0.8),
    Goal("CPU seconds for 10^9 bytes", ("cpu-per-gb", "labctl"), None, at_most=1.1),
    Goal("IPv6 inside / IPv4 inside", ("tcp6-1500", "labctl"), ("tcp-1500", "labctl"), at_least=0.9),
    Goal("with / without offload", ("tcp-1500", "labctl"), ("tcp-1500", "labctl-no-offload"), at_least=4),
    Goal(
        "TCP beside an idle trace / alone", ("observed-tcp", "idle-trace"), ("observed-tcp", "nothing"), at_least=0.98
    ),
    Goal("TCP beside watch / alone", ("observed-tcp", "watch"), ("observed-tcp", "nothing"), at_least=0.98),
    Goal("TCP beside watch --web / alone", ("observed-tcp", "watch-web"), ("observed-tcp", "nothing"), at_least=0.98),
    Goal("an idle trace, % of the stream's CPU", ("observer-taps", "idle-trace"), None, at_most=2),
    Goal("an idle capture, % of the stream's CPU", ("observer-taps", "idle-capture"), None, at_most=2),
    Goal("events, % of a CPU", ("observer-cpu", "events"), None, at_most=2),
    Goal("watch, % of a CPU", ("observer-cpu", "watch"), None, at_most=2),
    Goal("watch --web, % of a CPU", ("observer-cpu", "watch-web"), None, at_most=2),
    Goal("one more engine, MB", ("engine-memory", "labctl"), None, at_most=4),
    Goal("up two-site, seconds", ("up-two-site", "labctl"), None, at_most=0.22),
    Goal("script / labctl, 100 sites", ("up-100", "script"), ("up-100", "labctl"), at_least=3),
    Goal("mininet / labctl, 100 hosts", ("up-down-100", "mininet"), ("up-down-100", "labctl"), at_least=4),
    Goal("500 sites / 100 sites", ("up-500", "labctl"), ("up-100", "labctl"), at_most=5.2),
    Goal("the same of a hub", ("up-hub-500", "labctl"), ("up-hub-100", "labctl"), at_most=5.2),
    Goal("one more site, MB", ("site-memory", "labctl"), None, at_most=10),
)


def show(figures: list[Figure], absent: dict[str, str], console: Console) -> None:
    """Print the table, the goals, and who was missing."""
    for first in range(0, len(figures), _ABREAST):
        console.print(_table(figures[first : first + _ABREAST]))
    goals = Table(title="goals")
    for column in ("", "reached", "goal", ""):
        goals.add_column(column, justify="right" if column else "left")
    for goal in GOALS:
        value = _ratio(goal, {figure.name: figure for figure in figures})
        if value is None:
            goals.add_row(goal.words, "-", "", "not measured")
            continue
        wanted = f">= {goal.at_least}" if goal.at_least is not None else f"<= {goal.at_most}"
        met = value >= goal.at_least if goal.at_least is not None else value <= (goal.at_most or 0)
        goals.add_row(goal.words, _short(value), wanted, "[green]met[/]" if met else "[red]not met[/]")
    console.print(goals)
    for name, reason in absent.items():
        console.print(f"missing: {name} ({reason})", highlight=False)


def _table(figures: list[Figure]) -> Table:
    table = Table(title="medians (lowest to highest)")
    table.add_column("")
    for figure in figures:
        table.add_column(f"{figure.name}\n{figure.unit}", justify="right")
    for name in dict.fromkeys(name for figure in figures for name in figure.values):
        cells = []
        for figure in figures:
            values = figure.values.get(name)
            cells.append(f"{_short(statistics.median(values))}\n[dim]{_range(values)}[/]" if values else "")
        table.add_row(name, *cells)
    return table


def _ratio(goal: Goal, figures: dict[str, Figure]) -> float | None:
    parts = []
    for where in (goal.over, goal.under):
        if where is None:
            parts.append(1.0)
            continue
        median = figures[where[0]].median(where[1]) if where[0] in figures else None
        if not median:
            return None
        parts.append(median)
    return parts[0] / parts[1]


def write(figures: list[Figure], directory: Path) -> None:
    """Write `bench.json` and `bench.svg`."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = {"rows": [figure.as_json() for figure in figures]}
    (directory / "bench.json").write_text(json.dumps(rows, indent=2) + "\n")
    (directory / "bench.svg").write_text(plot(figures))


def plot(figures: list[Figure]) -> str:
    """Bars of the medians, a group for each row, with whiskers from the lowest to the highest."""
    bar, left, width = 18, 150, 460
    lines: list[str] = []
    y = 10
    for figure in figures:
        y += 22
        title = escape(f"{figure.name} ({figure.unit}, {figure.better} is better)")
        lines.append(f'<text x="10" y="{y}" class="title">{title}</text>')
        y += 8
        most = max((max(values) for values in figure.values.values() if values), default=1) or 1
        for name, values in figure.values.items():
            if not values:
                continue
            median = statistics.median(values)
            length, low, high = (each / most * width for each in (median, min(values), max(values)))
            kind = "ours" if name.startswith("labctl") else "other"
            middle = y + bar / 2
            lines += [
                f'<text x="{left - 8}" y="{middle + 4}" class="name">{escape(name)}</text>',
                f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{bar - 4}" class="{kind}"/>',
                f'<path d="M{left + low:.1f} {middle}H{left + high:.1f}" class="range"/>',
                f'<text x="{left + high + 6:.1f}" y="{middle + 4}">{_short(median)}</text>',
            ]
            y += bar
    style = (
        "text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.name{text-anchor:end}"
        ".ours{fill:#2a7}.other{fill:#9ab}.range{stroke:#333;stroke-width:1}"
    )
    size = f'width="{left + width + 90}" height="{y + 20}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, background, *lines, "</svg>"]) + "\n"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _range(values: list[float]) -> str:
    return f"{_short(min(values))}-{_short(max(values))}"
