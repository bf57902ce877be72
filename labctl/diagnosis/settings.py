"""Settings of the kernel that lose packets: forwarding, reverse path filter, martians, echo, TTL (ip-sysctl).

A refused look-up of a packet that arrives has several meanings with one errno (net/ipv4/route.c:
ip_route_input_slow()). Each is told only where the setting has it so, and the look-up back to the source agrees.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.errors import kernel_words
from labctl.kernel.lookup import NoWay, Way
from labctl.topology.interface_ref import InterfaceRef

_ECHO_REPLY = 129  # of ICMPv6 (RFC 4443 4.2)
_REFUSED_SOURCE = (errno.EINVAL, errno.EXDEV)


def forwarding(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a namespace that is to pass a packet on does not forward what arrives by that interface."""
    stage = case.stages[number]
    if stage.kind is not Kind.FORWARD or not stage.leaves:
        return
    if stage.flow.to.version == 4:
        path = f"net/ipv4/conf/{stage.arrives}/forwarding"
        key = "net.ipv4.ip_forward"
    else:
        path, key = "net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"
    if case.space(stage.namespace).settings.get(path) == "0":
        seen = [Witness(stage.namespace, path, "0")]
        way = case.ways.get(stage)
        if isinstance(way, NoWay):
            seen.append(Witness(stage.namespace, "look-up as it arrives", kernel_words(OSError(way.errno, ""))))
        words = f"{stage.namespace} does not forward packets that arrive at {stage.arrives}: {path} is 0"
        path_of_file = ("namespaces", stage.namespace, "sysctls")
        fix = fixes.mend(case, stage.namespace, *path_of_file, text=f"write {key}: 1 in its sysctls")
        yield Verdict(f"{stage.namespace}:{stage.arrives}", Reason.FORWARDING_OFF, words, tuple(seen), fix)


def reverse_path(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that the reverse path filter drops it: the way back to its source is not by the interface it came by."""
    stage = case.stages[number]
    way, back = case.ways.get(stage), case.returns.get(stage)
    if not (isinstance(way, NoWay) and way.errno in _REFUSED_SOURCE and stage.arrives) or stage.flow.to.version == 6:
        return
    strict = _effective(case, stage)
    if strict is None or back is None or not _fails(stage, back, strict[1]):
        return
    path, value = strict
    place = f"{stage.namespace}:{stage.arrives}"
    returns = "nowhere" if isinstance(back, NoWay) else f"through {back.interface}"
    evidence = (
        Witness(stage.namespace, "look-up as it arrives", kernel_words(OSError(way.errno, ""))),
        Witness(place, path, str(value)),
        Witness(stage.namespace, f"look-up back to {stage.flow.source}", returns),
        *case.counts(stage.namespace, "TcpExtIPReversePathFilter"),
    )
    words = (
        f"the reverse path filter of {stage.namespace} drops it ({path} is {value}): "
        f"it came by {stage.arrives}, and the way back to {stage.flow.source} is {returns}"
    )
    fix = fixes.inside(stage.namespace, f"sysctl -w {path.replace('/', '.')}=0")
    key = path.replace("/", ".")
    if key in case.topology.namespaces[stage.namespace].sysctls:
        fix = fixes.write(case, "namespaces", stage.namespace, "sysctls", key, text=f"write {key}: 0")
    elif fixes.drifted(case, stage.namespace):
        fix = fixes.up(case)
    yield Verdict(place, Reason.RP_FILTER, words, evidence, fix)


def _effective(case: Case, stage: Stage) -> tuple[str, int] | None:
    """Return the setting of the reverse path filter that is in force, the larger of two; None where it is off."""
    paths = [f"net/ipv4/conf/{scope}/rp_filter" for scope in (stage.arrives, "all")]
    values = [(path, int(case.space(stage.namespace).settings.get(path, "0"))) for path in paths]
    path, value = max(values, key=lambda each: each[1])
    return (path, value) if value else None


def _fails(stage: Stage, back: Way | NoWay, strictness: int) -> bool:
    if isinstance(back, NoWay):
        return True
    return strictness == 1 and (back.local or back.interface != stage.arrives)


def martian(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that the source of a packet is one that none can have that arrives: an address of the receiver itself."""
    stage = case.stages[number]
    way, back = case.ways.get(stage), case.returns.get(stage)
    if not (isinstance(way, NoWay) and way.errno in _REFUSED_SOURCE and isinstance(back, Way) and back.local):
        return
    if stage.arrives in ("", "lo"):
        return
    place = f"{stage.namespace}:{stage.arrives}"
    owners = [str(ref) for ref, _ in case.owners_of(str(stage.flow.source)) if ref.namespace == stage.namespace]
    evidence = (
        Witness(stage.namespace, "look-up as it arrives", kernel_words(OSError(way.errno, ""))),
        Witness(stage.namespace, f"look-up back to {stage.flow.source}", "local"),
        *(Witness(owner, "address", str(stage.flow.source)) for owner in owners),
    )
    words = (
        f"{stage.namespace} drops it as a martian: its source {stage.flow.source} is an address of {stage.namespace}"
    )
    fix = fixes.up(case) if fixes.drifted(case, stage.namespace) else ""
    yield Verdict(place, Reason.MARTIAN, words, evidence, fix)


def echo(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a namespace answers no echo requests."""
    stage = case.stages[number]
    ping = stage.kind is Kind.DELIVER and stage.depth == 0 and not stage.back and case.asked.protocol.endswith("icmp")
    if not (ping and case.asked.answered):
        return
    path = "net/ipv4/icmp_echo_ignore_all" if stage.flow.to.version == 4 else "net/ipv6/icmp/echo_ignore_all"
    if case.space(stage.namespace).settings.get(path, "0") == "0":
        return
    counters = ("IcmpInEchos", "IcmpOutEchoReps", "Icmp6InEchos", "Icmp6OutEchoReplies")
    evidence = (Witness(stage.namespace, path, "1"), *case.counts(stage.namespace, *counters))
    words = f"{stage.namespace} answers no echo requests: {path} is 1"
    key = path.replace("/", ".")
    fix = fixes.inside(stage.namespace, f"sysctl -w {key}=0")
    if key in case.topology.namespaces[stage.namespace].sysctls:
        fix = fixes.write(case, "namespaces", stage.namespace, "sysctls", key, text=f"write {key}: 0")
    yield Verdict(stage.namespace, Reason.ECHO_IGNORED, words, evidence, fix)


def echo_limited(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a namespace sends fewer echo replies than it should, for it limits their rate: the kernel counts that.

    Of IPv4 the types that are limited are bits of a mask, of IPv6 ranges (ip-sysctl: icmp_ratemask, ratemask).
    """
    stage = case.stages[number]
    version, here = stage.flow.to.version, stage.namespace
    if stage.depth or stage.back or not case.asked.protocol.endswith("icmp"):
        return
    base, prefix = ("net/ipv4/icmp_", "IcmpOut") if version == 4 else ("net/ipv6/icmp/", "Icmp6Out")
    counted = tuple(case.counts(here, f"{prefix}RateLimitHost", f"{prefix}RateLimitGlobal"))
    mask = case.space(here).settings.get(f"{base}ratemask", "")
    limits = int(mask or 0) & 1 if version == 4 else _contains(mask, _ECHO_REPLY)
    if counted and limits:
        evidence = (Witness(here, f"{base}ratemask", mask), *counted)
        words = f"{here} limits the rate of its echo replies: {base}ratemask is {mask}"
        key, usual = f"{base}ratemask".replace("/", "."), "6168" if version == 4 else "0-1,3-127"
        fix = fixes.inside(here, f"sysctl -w {key}={usual}")
        if key in case.topology.namespaces[here].sysctls:
            fix = fixes.write(case, "namespaces", here, "sysctls", key, text=f"write {key}: {usual}")
        yield Verdict(here, Reason.ECHO_IGNORED, words, evidence, fix)


def _contains(ranges: str, number: int) -> bool:
    """Return whether a number is in one of some ranges, as "0-1,3-127"."""
    ends = (each.partition("-") for each in ranges.split(",") if each)
    return any(int(low) <= number <= int(high or low) for low, _, high in ends)


def time_to_live(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a packet came to a router with no hop left: it goes in a loop, or began with too few."""
    stage = case.stages[number]
    for journey in case.answers if stage.back else case.probes:
        seen = [each for each in journey.sightings if each.packet and len(each.layers) == stage.depth + 1]
        if not seen or stage.kind is not Kind.FORWARD:
            continue
        first, last = seen[0], seen[-1]
        ttl, began = last.layers[0].ttl, first.layers[0].ttl
        if ttl > 1:
            continue
        visits = [each for each in seen if each.station == last.station]
        evidence = (
            Witness(str(first.station), "TTL", str(began)),
            Witness(str(last.station), "TTL", str(ttl)),
        )
        place = str(last.station.ref)
        if len(visits) > 1:
            words = f"it goes round in a loop: {place} saw it {len(visits)} times, each time with less TTL"
            yield Verdict(place, Reason.ROUTING_LOOP, words, evidence, fixes.up(case))
        else:
            words = f"its TTL ended at {last.station.namespace}: it began with {began}"
            setting = _first_ttl(case, first.station.ref, stage.flow.to.version)
            told = tuple(Witness(first.station.namespace, path, value) for path, value in setting)
            fix = [
                fixes.inside(first.station.namespace, f"sysctl -w {path.replace('/', '.')}=64") for path, _ in setting
            ]
            yield Verdict(place, Reason.TTL, words, (*evidence, *told), fix[0] if fix else fixes.up(case))
        return


def _first_ttl(case: Case, ref: InterfaceRef, version: int) -> list[tuple[str, str]]:
    """Return the setting of a sender that lets packets begin with less TTL than usual, if it does (RFC 1700: 64)."""
    path = "net/ipv4/ip_default_ttl" if version == 4 else f"net/ipv6/conf/{ref.interface}/hop_limit"
    value = case.space(ref.namespace).settings.get(path, "64")
    return [(path, value)] if int(value) < 64 else []
