"""A picture as one HTML page, whole in itself: no script, no request to anywhere.

Below the picture a table says what it shows, and what is chosen there (Tab and Enter) is marked in the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.report.graph.model import Interface, Namespace, Picture
from labctl.report.graph.style import style
from labctl.report.graph.svg import drawn, text
from labctl.report.graph.words import faults, summary
from labctl.topology.interface_ref import InterfaceRef

_STYLE = """
:root{color-scheme:light dark;--ink:#1e293b;--paper:#fff;--line:#cbd5e1;--quiet:#5b6779;--red:#b91c1c;--link:#1d4ed8}
@media screen and (prefers-color-scheme:dark){
:root{--ink:#e2e8f0;--paper:#0b1220;--line:#334155;--quiet:#9fb0c7;--red:#ff8a8a;--link:#93c5fd}}
body{margin:0;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.45 system-ui,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif}
main{max-width:110rem;margin:auto}
h1{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
figure{margin:0;overflow:auto;text-align:center}
figure svg{display:inline-block;width:100%;height:auto;max-width:calc(var(--wide)*1.7)}
figure svg *{scroll-margin:8rem}
#full:checked~figure svg{width:var(--wide);max-width:none}
.zoom{position:absolute;top:1.4rem;right:1.6rem;color:var(--quiet);font-size:.9rem}
#full{position:absolute;top:1.5rem;right:5.8rem}
small{font-weight:400}
.table{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--quiet);font-weight:600}
td,tbody th{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:.85rem}
.fault{color:var(--red)}
a{color:var(--link)}
:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
@page{size:landscape;margin:12mm}
@media print{body{padding:0;font-size:10pt}figure{overflow:visible;break-inside:avoid}
figure svg{max-width:100%;max-height:170mm;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.zoom,#full{display:none}tr{break-inside:avoid}a{color:inherit;text-decoration:none}}
"""


_SHRINKS = 1300  # a wider picture is made narrower on a usual screen


def html(picture: Picture) -> str:
    """Return a page with the picture, and tables that say the same."""
    return "\n".join(_page(picture)) + "\n"


def _page(picture: Picture) -> Iterator[str]:
    image = drawn(picture)
    lab = text(picture.lab)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{lab}</title>\n<style>{_STYLE}{style()}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>Lab {lab}: {text(summary(picture))}</h1>"
    if image.width > _SHRINKS:
        yield '<input type="checkbox" id="full"><label class="zoom" for="full">full size</label>'
    yield f'<figure tabindex="0" aria-label="Picture of the lab {lab}" style="--wide:{image.width}px">'
    yield f"{image.text('')}</figure>"
    yield from _faults(picture)
    yield from _interfaces(picture)
    yield from _tunnels(picture)
    yield "</main>\n</body>\n</html>"


def _faults(picture: Picture) -> Iterator[str]:
    found = list(faults(picture))
    if found:
        yield "<h2>Differs from the file, or is dead</h2>"
        yield from _table(("where", "what"), ((_where(place), _red(words)) for place, words in found))


def _interfaces(picture: Picture) -> Iterator[str]:
    ends = {cable.one: cable.other for cable in picture.cables} | {cable.other: cable.one for cable in picture.cables}
    yield "<h2>Namespaces and their interfaces</h2>"
    yield from _head("namespace", "interface", "kind", "addresses", "leads to", "impaired", "state")
    for space in picture.namespaces:
        yield "<tbody>"
        yield from _rows(space, ends)
        yield "</tbody>"
    yield "</table></div>"


def _rows(space: Namespace, ends: Mapping[InterfaceRef, InterfaceRef]) -> Iterator[str]:
    """Yield a row for each interface of a namespace; the first names that."""
    about = "<br>".join((*map(text, space.traits), *map(_red, space.faults)))
    high = max(1, len(space.interfaces))
    name = (
        f'<th scope="rowgroup" rowspan="{high}">{_link(f"ns-{space.name}", space.name)}<br><small>{about}</small></th>'
    )
    if not space.interfaces:
        yield f'<tr>{name}<td colspan="6">no interfaces</td></tr>'
    for interface in space.interfaces:
        engine = interface.engine.faults if interface.engine else ()
        cells = (
            text(interface.kind),
            "<br>".join(map(text, interface.addresses)),
            "<br>".join(map(text, _leads_to(interface, ends))),
            "<br>".join(map(text, _impaired(interface))),
            "<br>".join(map(_red, (*interface.faults, *engine))),
        )
        link = _link(f"if-{interface.ref}", interface.ref.interface)
        yield f'<tr>{name}<th scope="row">{link}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        name = ""


def _leads_to(interface: Interface, ends: Mapping[InterfaceRef, InterfaceRef]) -> Iterator[str]:
    if interface.ref in ends:
        yield str(ends[interface.ref])
    if interface.master:
        yield f"port of {interface.master}"
    if engine := interface.engine:
        yield f"engine: {engine.bind} → {engine.peer}"
        yield from (engine.program,) if engine.program else ()


def _impaired(interface: Interface) -> Iterator[str]:
    yield from (interface.impaired,) if interface.impaired else ()
    yield from interface.engine.impaired if interface.engine else ()


def _tunnels(picture: Picture) -> Iterator[str]:
    if picture.tunnels:
        yield "<h2>Tunnels</h2>"
        rows = (
            (
                _link(f"tun-{tunnel.device}", str(tunnel.device)),
                text(str(tunnel.far or "no TUN device of the lab")),
                "<br>".join(text(str(ref)) for ref in tunnel.way),
                _red("dead" if tunnel.dead else ""),
            )
            for tunnel in picture.tunnels
        )
        yield from _table(("from", "to", "carried by", "state"), rows)


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table; the first of its cells names the row."""
    yield from _head(*heads)
    yield "<tbody>"
    for first, *cells in rows:
        yield f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
    yield "</tbody>\n</table></div>"


def _head(*heads: str) -> Iterator[str]:
    """Yield the beginning of a table."""
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f'<div class="table"><table>\n<thead><tr>{cells}</tr></thead>'


def _where(place: str) -> str:
    return _link(f"if-{place}" if ":" in place else f"ns-{place}", place)


def _link(target: str, words: str) -> str:
    return f'<a href="#{text(target)}">{text(words)}</a>'


def _red(words: str) -> str:
    return f'<span class="fault">{text(words)}</span>' if words else ""
