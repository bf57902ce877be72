"""What has changed of a JSON document, as JSON Merge Patch has it (RFC 7396): it is sent in place of the whole."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
"""JSON of objects down to lists and values; none of these is null, which stands for what is gone."""


def patch(before: Document, after: Document) -> Document:
    """Return what makes one document of the other; empty where they are the same."""
    changed: Document = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := patch(old, value):
                changed[key] = inner
        elif old != value:
            changed[key] = value
    return changed
