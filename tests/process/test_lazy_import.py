"""A module that is not used is not loaded; one that is used is whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from labctl.process.lazy_import import lazily


def test_a_module_loads_when_something_of_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "used_late.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'x')\nvalue = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "used_late", raising=False)
    lazily("used_late")
    import used_late  # type: ignore[import-not-found]

    assert not (tmp_path / "loaded").exists()
    assert (used_late.value, used_late.value) == (7, 7)
    with pytest.raises(AttributeError):
        _ = used_late.other
    from used_late import value

    assert value == 7 and sys.modules["used_late"].__file__


def test_a_module_that_is_loaded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.modules["pathlib"]
    lazily("pathlib")
    assert sys.modules["pathlib"] is before
