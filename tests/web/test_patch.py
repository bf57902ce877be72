"""What is sent of a document that has changed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.web.patch import patch

values = st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2)
documents = st.recursive(values, lambda inner: st.dictionaries(st.text("xyz", max_size=1), inner, max_size=3))
wholes = st.dictionaries(st.text("xyz", max_size=1), documents, max_size=3)


def applied(target: Any, change: Any) -> Any:
    """The function of RFC 7396, section 2, word by word."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = applied(result.get(name), value)
    return result


@given(wholes, wholes)
def test_what_is_sent_makes_one_document_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert applied(before, patch(before, after)) == after


@given(wholes)
def test_nothing_is_sent_of_what_stays(document: dict[str, Any]) -> None:
    assert patch(document, dict(document)) == {}


def test_one_rate_of_many_is_sent_alone() -> None:
    before = {"phase": "up", "rates": {"a": {"there": [1, 8], "back": [1, 8]}, "b": {"there": [1, 8], "back": [1, 8]}}}
    after = {"phase": "up", "rates": {"a": {"there": [2, 9], "back": [1, 8]}, "b": {"there": [1, 8], "back": [1, 8]}}}
    assert patch(before, after) == {"rates": {"a": {"there": [2, 9]}}}
