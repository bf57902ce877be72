"""A picture in each language: what reads it accepts it, and it says all."""

from __future__ import annotations

import html as html_
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from click import Choice

from labctl.cli.graph import graph as command
from labctl.report.graph.dot import dot
from labctl.report.graph.html import html
from labctl.report.graph.languages import LANGUAGES
from labctl.report.graph.mermaid import mermaid
from labctl.report.graph.model import Engine, Interface, Namespace, Picture
from labctl.report.graph.of_topology import of_topology
from labctl.report.graph.svg import svg
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import load, loads
from labctl.topology.shipped import find
from tests.e2e.labs import ROUTED
from tests.graph.drawn import assert_drawn_well
from tests.graph.labs import SHAPES
from tests.plan.over_hosts import over_hosts
from tests.programs import needed

TWO_SITE = of_topology(load(find("two-site")))
PICTURES = {
    "two-site": TWO_SITE,
    "single-host": of_topology(load(find("single-host"))),
    "routed": of_topology(loads(ROUTED, "lab.yaml")),
    "over hosts": of_topology(over_hosts(load(find("two-site")), {"siteA": "srv1", "siteB": "srv2"})),
    "30 apart": of_topology(SHAPES["30 apart"]),
    "vpn of 3": of_topology(SHAPES["vpn of 3"]),
    "empty": Picture("empty", namespaces=(Namespace("nothing"),)),
}
ODD = "<script>alert(\"&#39;'\x1b[31m\\\u2028`]}--> #quot;"
REF = InterfaceRef("odd", "t<ü&\"0'")
ODD_PICTURE = Picture(
    "odd",
    ODD,
    (Namespace("odd", (Interface(REF, "tun", engine=Engine("a:1", "b:2", ODD, faults=(ODD,))),), faults=(ODD,)),),
    state=ODD,
)


def test_the_command_knows_every_language() -> None:
    [option] = [each for each in command.params if each.name == "language"]
    assert isinstance(option.type, Choice) and tuple(option.type.choices) == tuple(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PICTURES)
def test_every_interface_and_address_is_said(name: str, language: str) -> None:
    picture = PICTURES[name]
    said = LANGUAGES[language](picture)
    for space in picture.namespaces:
        assert space.name in said and space.host in said
    for interface in picture.interfaces:
        for word in (interface.ref.interface, *interface.addresses):
            assert word in said


MERMAID = [
    re.compile(line)
    for line in (
        r"flowchart LR",
        r"  %% .*",
        r"  subgraph [nh]\d+\[\"[^\"\n]*\"\]",
        r"  n\d+\[\"[^\"\n]*\"\]",
        r"    n\d+i\d+\[\"[^\"\n]*\"\]",
        r"  end",
        r"  n\d+i\d+ (---|-\.-|<==>\|\"tunnel\"\||==>\|\"tunnel\"\|) n\d+i\d+",
        r"  linkStyle \d+(,\d+)* stroke:#[0-9a-f]{6},stroke-width:2px,stroke-dasharray:5 4",
        r"  style n\d+(i\d+)? stroke:#[0-9a-f]{6},stroke-width:2px,stroke-dasharray:5 4",
    )
]


@pytest.mark.parametrize("picture", [*PICTURES.values(), ODD_PICTURE], ids=[*PICTURES, "odd"])
def test_mermaid_keeps_to_its_simplest_constructs(picture: Picture) -> None:
    lines = mermaid(picture).splitlines()
    for line in lines:
        assert any(known.fullmatch(line) for known in MERMAID), line
    made = {found[1] for line in lines if (found := re.match(r"\s+(?:subgraph )?(n\d+(?:i\d+)?)\[", line))}
    used = {node for line in lines if "[" not in line for node in re.findall(r"\bn\d+(?:i\d+)?\b", line)}
    assert used <= made
    assert sum("subgraph" in line for line in lines) == lines.count("  end")


@pytest.mark.parametrize("picture", [*PICTURES.values(), ODD_PICTURE], ids=[*PICTURES, "odd"])
def test_graphviz_reads_dot(picture: Picture) -> None:
    done = subprocess.run([needed("dot"), "-Tplain"], input=dot(picture), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "syntax" not in done.stderr, done.stderr
    edges = sum(line.startswith("edge ") for line in done.stdout.splitlines())
    ports = sum(bool(one.master) for one in picture.interfaces)
    assert edges == len(picture.cables) + ports + sum(tunnel.far is not None for tunnel in picture.tunnels)


class Page(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("picture", [*PICTURES.values(), ODD_PICTURE], ids=[*PICTURES, "odd"])
def test_a_page_is_whole_in_itself(picture: Picture) -> None:
    text = html(picture)
    page = Page(text)
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [str(attrs["href"]) for _, attrs in page.tags if "href" in attrs]
    assert links and all(link[0] == "#" and link[1:] in ids for link in links)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "use", "image", "object"}
    assert not re.search(r"url\(|@import|src=", text)
    assert re.findall(r"https?://[^\s\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_a_picture_is_read_by_a_screen_reader() -> None:
    top = dict(Page(svg(TWO_SITE)).tags[0][1])
    assert top["role"] == "img" and top["aria-labelledby"] == "lab-title lab-desc"
    said = html_.unescape(svg(TWO_SITE).partition('<desc id="lab-desc">')[2].partition("</desc>")[0])
    assert "Cable siteA:wan0 to siteB:wan0." in said
    assert "Tunnel siteA:tun0 and siteB:tun1, carried by siteA:wan0, siteB:wan0." in said


def test_a_table_says_what_the_picture_shows() -> None:
    tags = Page(html(TWO_SITE)).tags
    assert {attrs.get("scope") for tag, attrs in tags if tag == "th"} == {"col", "row", "rowgroup"}
    assert any(tag == "figure" and attrs.get("tabindex") == "0" for tag, attrs in tags)


def test_words_of_others_are_no_markup() -> None:
    assert_drawn_well(replace(ODD_PICTURE, namespaces=(Namespace("odd", faults=(ODD,)),)))
    assert "<script" not in html(ODD_PICTURE) and "<script" not in svg(ODD_PICTURE)


def test_a_picture_is_light_or_dark_as_the_viewer_prefers_and_light_on_paper() -> None:
    assert svg(TWO_SITE).count("@media screen and (prefers-color-scheme:dark)") == 1
    assert "@media print" in html(TWO_SITE)
