"""The languages in which a picture can be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labctl.report.graph.dot import dot
from labctl.report.graph.html import html
from labctl.report.graph.mermaid import mermaid
from labctl.report.graph.model import Picture
from labctl.report.graph.svg import svg

LANGUAGES: Mapping[str, Callable[[Picture], str]] = {"mermaid": mermaid, "dot": dot, "svg": svg, "html": html}
