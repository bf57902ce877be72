"""The live page in a browser, of a real lab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.browser import Page, browser
from tests.e2e.labs import tunnel
from tests.e2e.test_web import Served, kill_engine, pinging, serving
from tests.e2e.world import World, world

DEAD = "document.getElementById('engine-siteB:tun1').classList.contains('dead')"
RED = "getComputedStyle(document.querySelector('[id=\"engine-siteB:tun1\"] .pill')).stroke"
STATE = "document.body.dataset"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world("rootless") as made:
        made.have_loopback()
        made.labctl("up", made.file("tunnel.yaml", tunnel()))
        yield made
        made.labctl("down")


@pytest.fixture(scope="module")
def page(here: World) -> Iterator[Page]:
    with browser(here.start) as made:
        yield made


def opened(page: Page, served: Served) -> None:
    page.open("about:blank")  # the last server has gone, which is no error of this one
    page.wait_for("location.href === 'about:blank'")
    page.said.clear()
    page.open(f"http://127.0.0.1:{served.port}{served.root}")
    page.wait_for("document.querySelector('#picture svg') !== null && document.body.dataset.phase === 'up'")


def test_it_shows_the_lab_and_packets_move(here: World, page: Page) -> None:
    with serving(here) as served:
        opened(page, served)
        titles = page.evaluate("[...document.querySelectorAll('#picture .title')].map((one) => one.textContent)")
        assert titles == ["siteA", "siteB"]
        with pinging(here):
            page.wait_for("document.querySelector('#picture .dot.ICMP') !== null")
            page.wait_for("/[1-9]\\d* pkt/.test(document.querySelector('#rates td').textContent)")
            page.wait_for("document.querySelectorAll('#ping .ladder .decapsulated').length === 2")
            page.wait_for("document.querySelector('#sample').textContent.includes('packets at interfaces')")
        page.wait_for("document.querySelector('#rates td').textContent === '0 pkt/s'")
        assert page.said == []  # no error, and nothing that its policy has refused


def test_a_killed_engine_turns_red_and_is_said(here: World, page: Page) -> None:
    with serving(here) as served:
        opened(page, served)
        before = page.evaluate(RED)
        kill_engine(here)
        page.wait_for(DEAD)
        assert page.evaluate(RED) != before
        assert page.wait_for("document.querySelector('#said').textContent") == "siteB:tun1 engine has ended"
        here.labctl("up", "tunnel.yaml")
        page.wait_for(f"!{DEAD}")
        assert page.said == []


def test_it_says_that_a_challenge_runs_and_not_what_differs(here: World, page: Page) -> None:
    record = '{"topology": "tunnel", "seed": 1, "level": 1, "began": 1000}'
    verdict = "document.querySelector('#verdict').textContent"
    with serving(here) as served:
        opened(page, served)
        here.labctl("exec", "siteA", "--", "sh", "-c", f"echo '{record}' > /run/labctl/tunnel/challenge")
        here.labctl("exec", "siteA", "--", "ip", "route", "add", "192.0.2.99/32", "dev", "lo")
        page.wait_for(f"{verdict} === 'a challenge runs'")
        assert page.evaluate("document.querySelector('#drift').hidden")
        assert "A challenge runs" in page.evaluate("document.querySelector('#banner').textContent")
        here.labctl("exec", "siteA", "--", "ip", "route", "del", "192.0.2.99/32", "dev", "lo")
        here.labctl("exec", "siteA", "--", "rm", "/run/labctl/tunnel/challenge")
        here.labctl("exec", "siteA", "--", "ip", "link", "set", "lo", "up")
        page.wait_for(f"{verdict} === 'as its file says'")
        assert page.said == []


def test_it_waits_for_the_lab_and_for_its_server(here: World, page: Page) -> None:
    with serving(here) as served:
        opened(page, served)
        here.labctl("down")
        page.wait_for(f"{STATE}.phase === 'down'")
        assert "waiting" in page.evaluate("document.querySelector('#banner').textContent")
        here.labctl("up", "tunnel.yaml")
        page.wait_for(f"{STATE}.phase === 'up'")
        page.wait_for("document.querySelector('#banner').hidden")
    page.wait_for(f"{STATE}.connection === 'lost'")
    assert "No connection" in page.evaluate("document.querySelector('#banner').textContent")
    with serving(here, str(served.port)):
        page.wait_for(f"{STATE}.connection === 'open' && {STATE}.phase === 'up'")


def test_who_wants_no_motion_sees_none(here: World, page: Page) -> None:
    page.look(1280, 720, {"prefers-reduced-motion": "reduce"})
    with serving(here) as served:
        opened(page, served)
        with pinging(here):
            page.wait_for("document.querySelector('#ping .ladder') !== null")
            assert page.evaluate("document.querySelectorAll('#picture .dot').length") == 0
            page.wait_for("document.querySelector('#sample').textContent.startsWith('motion is off')")


def test_all_of_it_can_be_read_without_scrolling_aside(here: World, page: Page) -> None:
    with serving(here) as served:
        for width, height in ((1280, 720), (1920, 1080), (400, 800)):
            page.look(width, height, {})
            opened(page, served)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
