"""A lesson in a browser: beside the picture of its lab, with the keyboard alone, and safe from other sites."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import Page, browser
from tests.e2e.test_web import Served
from tests.e2e.world import DEADLINE, World, world

LESSON = Path(__file__).parents[1] / "learn/lessons/two-hosts"
HEADING = "document.querySelector('#heading').textContent"
REACHED = "document.querySelectorAll('#goals .reached').length"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world("rootless") as made:
        made.have_loopback()
        yield made
        made.labctl("down", "--all")


@contextmanager
def teaching(here: World, *more: str) -> Iterator[Served]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with here.start_labctl("learn", str(LESSON), "--seed", "3", "--web", "0", *more, **pipes) as process:
        try:
            yield Served(here, process)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
        assert (process.returncode, said) == (0, "")


def press(page: Page, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" and len(key) == 1 else "")


def type_in(page: Page, text: str) -> None:
    page.evaluate("document.querySelector('#typed').focus()")
    page.call("Input.insertText", text=text)
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")


def test_a_student_goes_through_it_by_the_keyboard(here: World) -> None:
    with browser(here.start) as page, teaching(here, "--again") as served:
        page.open(f"http://127.0.0.1:{served.port}{served.root}")
        page.wait_for("document.querySelector('#picture svg') !== null")
        assert page.wait_for(HEADING) == "What is there"
        page.wait_for("document.querySelectorAll('#choices button').length === 2")
        assert page.evaluate("document.querySelector('#goals').hidden"), "first the prediction"
        press(page, "1")
        page.wait_for("document.querySelector('#typing').offsetParent !== null")
        press(page, "h")
        page.wait_for("document.querySelectorAll('.hint').length === 1")
        page.evaluate("document.querySelector('#typed').focus()")
        press(page, "f")
        press(page, "p")
        page.wait_for("document.querySelector('#typed').value === 'fp'")
        assert page.evaluate("document.querySelectorAll('[aria-pressed=true]').length") == 0, "it is typed, and no key"
        page.evaluate("document.querySelector('#typed').value = ''")
        type_in(page, "1")
        page.wait_for("document.querySelector('#wrong').textContent === 'It stands behind mtu.'")
        here.labctl("exec", "left", "--", "ip", "link")
        page.wait_for(f"{REACHED} === 1")
        mtu = here.labctl("exec", "left", "--", "cat", "/sys/class/net/eth0/mtu").stdout.strip()
        page.evaluate("document.querySelector('#typed').value = ''")
        type_in(page, mtu)
        page.wait_for("document.querySelector('#bar .done') !== null")
        assert "What happens: its own" in page.evaluate("document.querySelector('#afterwards').textContent")
        page.wait_for("document.activeElement.id === 'next'")
        press(page, "n")
        page.wait_for(f"{HEADING} === 'A ping'")
        press(page, "s")
        page.wait_for("document.querySelector('#skip').textContent.startsWith('Really?')")
        press(page, "x")
        page.wait_for("document.querySelector('#skip').textContent.startsWith('Skip')")
        press(page, "s")
        press(page, "s")
        page.wait_for("document.querySelector('#solution pre').textContent.includes('ping -c 2')")
        press(page, "n")
        page.wait_for("document.querySelector('#goals .failed') !== null")
        here.labctl("exec", "right", "--", "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
        page.wait_for("document.querySelectorAll('#bar .done').length === 2")
        press(page, "b")
        press(page, "b")
        page.wait_for("document.querySelector('#goals .failed') !== null && document.querySelector('#next').hidden")
        press(page, "s")
        press(page, "s")
        page.wait_for("document.querySelectorAll('#bar .skipped').length === 2")
        press(page, "n")
        page.wait_for("document.querySelector('#notice').textContent.includes('the lesson is over')")
        assert page.said == []
    assert "no lab" in here.labctl("list").stdout


def test_only_this_page_may_ask_for_anything(here: World) -> None:
    json_, other = {"Content-Type": "application/json"}, "evil.example"
    with teaching(here, "--again") as served:
        own = f"127.0.0.1:{served.port}"
        asked = [
            ("POST", "do", own, json_, b'{"do": "hint"}', 204),
            ("POST", "do", other, json_, b'{"do": "hint"}', 403),
            ("POST", "do", own, {"Content-Type": "text/plain"}, b'{"do": "hint"}', 415),
            ("OPTIONS", "do", own, {}, b"", 405),
            ("POST", "do", own, json_, b'{"do": "rm -rf"}', 400),
            ("POST", "elsewhere", own, json_, b'{"do": "hint"}', 400),
            ("POST", "do", own, json_, b"{", 400),
            ("GET", "page.html", own, {}, b"", 200),
        ]
        for method, path, host, headers, body, status in asked:
            connection = HTTPConnection("127.0.0.1", served.port)
            connection.sock = served.connected()
            connection.request(method, served.root + path, body, {"Host": host, **headers})
            assert connection.getresponse().status == status, (method, path, host, body)
    here.labctl("down", "--all")
