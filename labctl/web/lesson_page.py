"""The page of a lesson as a browser is sent it: Markdown as HTML, of which no author's own HTML is a part."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from markdown_it import MarkdownIt

from labctl.report.lesson import Page

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def as_json(page: Page) -> dict[str, Any]:
    """Return all that is shown of a lesson, with its texts as HTML."""
    return {
        **asdict(page),
        "text": html(page.text),
        "hints": [html(hint) for hint in page.hints],
        "afterwards": html(page.afterwards),
    }


def html(markdown: str) -> str:
    """Return Markdown as HTML; what is HTML in it is shown as it is written."""
    return str(_MARKDOWN.render(markdown))
