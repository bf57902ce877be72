"""Pictures as a browser draws them, with the fonts that it has: no words meet, and no pipe runs behind words."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from labctl.report.graph.model import Engine, Interface, Namespace, Picture
from labctl.report.graph.of_topology import of_topology
from labctl.report.graph.svg import svg
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import load, loads
from labctl.topology.shipped import find, names
from tests.graph.labs import SHAPES
from tests.graph.test_layout import OTHERS, load_nested
from tests.programs import CHROMIUM, needed

LOOK = """
const found = [];
for (const svg of document.querySelectorAll('svg.lab')) {
  const name = svg.querySelector('title').textContent, edge = svg.getBoundingClientRect();
  const told = words => found.push(name + ': ' + words);
  const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent).map(t => [t, t.getBoundingClientRect()]);
  const within = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
  texts.forEach(([t, a], i) => {
    if (!within(a, edge)) told(`"${t.textContent}" is outside of the picture`);
    const card = t.closest('[data-namespace]');
    const box = card && svg.querySelector(`.ns[data-namespace="${card.dataset.namespace}"] .card`);
    if (box && !within(a, box.getBoundingClientRect())) told(`"${t.textContent}" is outside of its card`);
    for (const [other, b] of texts.slice(i + 1))
      if (a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom)
        told(`"${t.textContent}" meets "${other.textContent}"`);
  });
  const rows = texts.filter(([t]) => t.closest('.if') && !t.closest('.engine'));
  for (const pipe of svg.querySelectorAll('.wall')) {
    const to = pipe.getScreenCTM(), half = pipe.getAttribute('stroke-width') / 2;
    for (let at = 0; at <= pipe.getTotalLength(); at += 3) {
      const p = pipe.getPointAtLength(at).matrixTransform(to);
      for (const [t, a] of rows)
        if (p.x + half > a.left + 1 && p.x - half < a.right - 1 && p.y + half > a.top + 4 && p.y - half < a.bottom - 4)
          { told(`${pipe.id} runs behind "${t.textContent}"`); at = Infinity; break; }
    }
  }
}
document.title = 'looked';
document.body.textContent = JSON.stringify(found);
"""

IPV6 = "fd00:1111:2222:3333:4444:5555:6666:7777"
LONG = Namespace(
    "W" * 60,
    (
        Interface(InterfaceRef("W" * 60, "w" * 15), "bridge", (f"{IPV6}/128", "255.255.255.255/32")),
        Interface(
            InterfaceRef("W" * 60, "m" * 15),
            "tun",
            master="w" * 15,
            impaired="delay 1ms loss 10% duplicate 1% corrupt 1% reorder 5% rate 10mbit",
            engine=Engine(f"[{IPV6}]:65535", f"[{IPV6}]:65535", "./my_ttun " * 9, ("out delay 1ms",), ("is stopped",)),
            faults=("address 10.0.0.1/24 is not there",) * 9,
        ),
    ),
    forwards=True,
    host="srv-with-a-long-name.example.org",
    faults=("route 10.0.1.0/24 via 192.0.2.1 dev eth0 metric 77 is not there",),
)
PICTURES = [
    *(of_topology(load(find(name))) for name in names()),
    *map(of_topology, SHAPES.values()),
    *(of_topology(loads(text, "lab.yaml")) for text in OTHERS.values()),
    of_topology(load_nested()),
    Picture("long", "many words " * 60, (LONG,), state="running (root), differs from its file in 9 points"),
]


def test_no_words_meet_and_no_pipe_runs_behind_words(tmp_path: Path) -> None:
    page = tmp_path / "pictures.html"
    pictures = "".join(map(svg, PICTURES))
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{pictures}<script>{LOOK}</script>', encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    look = [needed(*CHROMIUM), *options, page.as_uri()]
    done = subprocess.run(look, capture_output=True, text=True, timeout=120, check=True)
    assert "<title>looked</title>" in done.stdout, done.stderr
    answer = re.search(r"<body>(.*)</body>", done.stdout, re.S)
    assert answer and json.loads(answer[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")) == []
