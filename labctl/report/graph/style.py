"""The looks of a picture: a style sheet for light, for dark where the viewer prefers it, and for paper.

Plain rules on classes, without variables, so that other renderers than browsers know them, too. Colours of text have a
contrast of 4.5 to 1 and more against what is behind (WCAG 2.1, 1.4.3), and nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping

SANS = "system-ui,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif"
MONO = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace"

_SHAPES = f"""
.lab text{{font-family:{MONO};font-size:12px}}
.lab .title{{font-family:{SANS};font-size:15px;font-weight:700}}
.lab .heading{{font-family:{SANS};font-size:20px;font-weight:700}}
.lab .description,.lab .state,.lab .legend text,.lab .tag{{font-family:{SANS};font-size:13px}}
.lab .tag{{font-size:11px}}
.lab .name{{font-weight:700}}
.lab .kind,.lab .engine text,.lab .program,.lab .impaired,.lab .fault{{font-size:11px}}
.lab .card{{stroke-width:1.5}}
.lab .head{{stroke-width:1}}
.lab path{{fill:none}}
.lab .cable{{stroke-width:2.5;stroke-linecap:round}}
.lab .lead,.lab .bracket{{stroke-width:1.5}}
.lab .port{{stroke-width:2}}
.lab .pill{{stroke-width:1.5}}
.lab .cable.dead,.lab .wall.dead{{stroke-dasharray:7 5}}
.lab .gone .card,.lab .dead .pill{{stroke-dasharray:6 4}}
.lab .wall,.lab .bore{{stroke-linejoin:round}}
.lab .count{{font-size:11px;font-weight:700;text-anchor:middle}}
"""

LIGHT = {
    "paper": "#ffffff",
    "card": "#f8fafc",
    "edge": "#7f8da3",
    "strong": "#0f172a",
    "text": "#1e293b",
    "dim": "#5b6779",
    "cable": "#334155",
    "amber": "#92400e",
    "red": "#b91c1c",
    "redpaper": "#fef2f2",
    "wall0": "#0f8f83",
    "bore0": "#d5f5ef",
    "wall1": "#7c3aed",
    "bore1": "#ece5fd",
    "wall2": "#2563eb",
    "bore2": "#dbe8fe",
    "wall3": "#be185d",
    "bore3": "#fce4ef",
}
DARK = {
    "paper": "#0b1220",
    "card": "#172033",
    "edge": "#64748b",
    "strong": "#f8fafc",
    "text": "#e2e8f0",
    "dim": "#9fb0c7",
    "cable": "#cbd5e1",
    "amber": "#fbbf24",
    "red": "#ff8a8a",
    "redpaper": "#3a1620",
    "wall0": "#2dd4bf",
    "bore0": "#11423f",
    "wall1": "#a78bfa",
    "bore1": "#352a66",
    "wall2": "#60a5fa",
    "bore2": "#1d355f",
    "wall3": "#f472b6",
    "bore3": "#561b3c",
}


def style() -> str:
    """Return the style sheet of a picture; its rules hold below the class `lab` alone."""
    dark = f"@media screen and (prefers-color-scheme:dark){{{_colours(DARK)}}}"
    return f"{_SHAPES}{_colours(LIGHT)}\n{dark}\n"


def _colours(c: Mapping[str, str]) -> str:
    pipes = "".join(
        f".lab .wall.rank{n}{{stroke:{c[f'wall{n}']}}}.lab .bore.rank{n}{{stroke:{c[f'bore{n}']}}}"
        f".lab .rank{n} .pill{{stroke:{c[f'wall{n}']};fill:{c[f'bore{n}']}}}"
        for n in range(4)
    )
    return (
        f".lab .paper{{fill:{c['paper']}}}.lab text{{fill:{c['text']}}}"
        f".lab .title,.lab .heading,.lab .name{{fill:{c['strong']}}}"
        f".lab .description,.lab .kind,.lab .tag,.lab .legend text{{fill:{c['dim']}}}"
        f".lab .card{{fill:{c['card']};stroke:{c['edge']}}}.lab .head{{stroke:{c['edge']}}}"
        f".lab .cable{{stroke:{c['cable']}}}.lab .lead,.lab .bracket{{stroke:{c['edge']}}}"
        f".lab .port{{stroke:{c['cable']};fill:{c['paper']}}}"
        f".lab .pill{{stroke:{c['edge']};fill:{c['paper']}}}"
        f"{pipes}"
        f".lab .count{{fill:{c['strong']}}}.lab .badge{{fill:{c['paper']};stroke:{c['wall0']};stroke-width:1.5}}"
        f".lab .impaired{{fill:{c['amber']}}}"
        f".lab .fault,.lab .state.differs,.lab .wrong .name,.lab .gone .title{{fill:{c['red']}}}"
        f".lab .cable.dead,.lab .wall.dead,.lab .wrong .port,.lab .gone .card,.lab .wrong>.card{{stroke:{c['red']}}}"
        f".lab .dead .pill,.lab .engine.wrong .pill{{stroke:{c['red']};fill:{c['redpaper']}}}"
        f".lab .bore.dead{{stroke:{c['redpaper']}}}"
        f".lab .swatch.fault{{fill:{c['red']}}}.lab .swatch.impaired{{fill:{c['amber']}}}"
        f".lab :target .card,.lab .cable:target,.lab .wall:target{{stroke:{c['amber']};stroke-width:5}}"
        f".lab :target .name{{fill:{c['amber']};text-decoration:underline}}"
    )
