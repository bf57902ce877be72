"""The step of the model: a state and a reading make the next state, and what happened between the two.

What is told twice happens once: an event is a difference between two states, not a message. So it makes no difference
whether a change was told by the kernel, or found by looking again after it had told too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, replace
from typing import Literal, TypeVar

from labctl.engine.counters import words_for
from labctl.live import events, programs, readings
from labctl.live.events import Event
from labctl.live.merge import between_hosts, merged, spread
from labctl.live.namespaces import told
from labctl.live.readings import ProcessState, Reading
from labctl.live.state import PACKETS, CheckState, Engine, Interface, LabState, Space
from labctl.plan.facts import LinkCounters

NO_IMPAIRMENT = "none"

Advanced = tuple[LabState, tuple[Event, ...]]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def advance(state: LabState, at: float, reading: Reading) -> Advanced:
    """Return the state after a reading that was made at `at`, in seconds since the epoch, and what happened."""
    after, happened = _advanced(replace(state, at=at), reading)
    return after, tuple(happened)


def _advanced(state: LabState, reading: Reading) -> tuple[LabState, list[Event]]:
    match reading:
        case readings.NotThere():
            return _not_there(state)
        case readings.Compared() | readings.Listed() | readings.Checked() if state.phase == "down":
            return state, []  # who looks at more was faster than who says that it is there; then they look again
        case readings.Recorded():
            return _recorded(state, reading)
        case readings.Spread():
            return _merged(state, spread(state, reading))
        case readings.OnHost(host, read, within):
            return _on_host(state, host, read, within)
        case readings.HostLost(host, why):
            return _host_lost(state, host, why)
        case readings.Written(topology):
            return replace(state, topology=topology), []
        case readings.Told(namespace, notification):
            space = state.spaces.get(namespace)
            if space is None:
                return state, []
            changed, happened = told(space, notification)
            overruns = sum(isinstance(event, events.MissedEvent) for event in happened)
            return replace(_with_space(state, changed), overruns=state.overruns + overruns), happened
        case readings.NamespaceGone(namespace):
            space = state.spaces.get(namespace)
            if space is None or not space.there:
                return state, []
            gone = Space(namespace, seen=True, there=False)
            return _with_space(state, gone), [events.NamespaceEvent("removed", namespace)]
        case readings.Process():
            return _process(state, reading)
        case readings.ProgramSeen():
            return _program(state, reading)
        case readings.Counted():
            return _counted(state, reading)
        case readings.Impaired(device, now):
            happened = list(_impaired(str(device), state.impairments.get(device, {}), now))
            return replace(state, impairments=_with(state.impairments, device, now)), happened
        case readings.Compared(drift, challenge):
            happened = list(_challenged(state.challenge, challenge))
            if not happened:  # else what was hidden is told, or is told no more, and nothing of it has changed
                happened += _drifted(state.drift or (), drift)
            return replace(state, drift=drift, challenge=challenge), happened
        case readings.Listed(names):
            return replace(state, checks={name: state.checks.get(name) or CheckState(name) for name in names}), []
        case readings.Checked():
            return _checked(state, reading)
        case readings.Packets(seen, left_out):
            kept = (*state.packets, *seen)[-PACKETS:]
            return replace(state, packets=kept, packets_left_out=state.packets_left_out + left_out), []
        case readings.Matched(counts):
            return replace(state, matched={**state.matched, **counts}), []


def _with(before: Mapping[_Key, _Value], key: _Key, value: _Value) -> dict[_Key, _Value]:
    return {**before, key: value}


def _with_space(state: LabState, space: Space) -> LabState:
    return replace(state, spaces=_with(state.spaces, space.name, space))


def _not_there(state: LabState) -> tuple[LabState, list[Event]]:
    happened: list[Event] = [] if state.phase == "down" else [events.LabEvent("down", state.mode, state.file)]
    return LabState(state.lab, topology=state.topology, overruns=state.overruns, at=state.at), happened


def _merged(before: LabState, known: LabState, happened: Iterable[Event] = ()) -> tuple[LabState, list[Event]]:
    """Return a lab over hosts of which more is known now, and what happened, on a host and to the whole."""
    after = merged(known)
    return after, [*between_hosts(before, after), *happened]


def _on_host(state: LabState, host: str, reading: Reading, within: float) -> tuple[LabState, list[Event]]:
    """Return what a reading on a host makes of a lab. Packets, and how often they were seen, are of the whole lab."""
    known = state.hosts.get(host)
    if known is None:
        return state, []
    if isinstance(reading, readings.Packets | readings.Matched):
        return _advanced(state, reading)
    share, happened = _advanced(replace(known.share, at=state.at), reading)
    now = replace(known, share=share, told=True, lost="", within=within)
    others = [event for event in happened if not isinstance(event, events.LabEvent)]
    return _merged(state, replace(state, hosts=_with(state.hosts, host, now)), others)


def _host_lost(state: LabState, host: str, why: str) -> tuple[LabState, list[Event]]:
    """Return a lab with one host less: how it compares with its file, and its checks, are not known any more."""
    known = state.hosts.get(host)
    if known is None:
        return state, []
    now = replace(known, share=replace(known.share, drift=None), told=False, lost=why or "no reason is known")
    unasked = {name: CheckState(name) for name in state.checks}
    return _merged(state, replace(state, hosts=_with(state.hosts, host, now), checks=unasked))


def _recorded(state: LabState, reading: readings.Recorded) -> tuple[LabState, list[Event]]:
    phase: Literal["begun", "up"] = "up" if reading.complete else "begun"
    happened: list[Event] = []
    if phase != state.phase:
        happened.append(events.LabEvent(phase, reading.mode, reading.file))
    for device, engine in state.engines.items():
        if device not in reading.engines:
            happened.append(events.EngineEvent("removed", str(device), engine.pid))
    happened += programs.removed(state.programs, reading.programs)
    followed = state.phase != "down"  # what is new in a lab that is followed has just been made
    spaces = {
        name: state.spaces.get(name) or Space(name, seen=followed, there=not followed) for name in reading.namespaces
    }
    happened += [
        events.NamespaceEvent("removed", name)
        for name, space in state.spaces.items()
        if name not in spaces and space.there
    ]
    new: ProcessState | None = "ended" if followed else None
    engines = {
        device: replace(state.engines[device], spec=spec) if device in state.engines else Engine(spec, state=new)
        for device, spec in reading.engines.items()
    }
    changed = replace(state, phase=phase, mode=reading.mode, file=reading.file, spaces=spaces, engines=engines)
    return replace(changed, programs=programs.recorded(state.programs, reading.programs, followed)), happened


def _process(state: LabState, reading: readings.Process) -> tuple[LabState, list[Event]]:
    engine = state.engines.get(reading.device)
    if engine is None or (engine.pid, engine.state) == (reading.pid, reading.state):
        return state, []
    other = engine.pid != reading.pid
    counters = {} if other else engine.counters
    changed = replace(engine, pid=reading.pid, state=reading.state, counters=counters)
    after = replace(state, engines=_with(state.engines, reading.device, changed))
    place = str(reading.device)
    happened: list[Event] = []
    if other and engine.state is not None:
        happened.append(events.EngineEvent("started", place, reading.pid))
    match engine.state if not other else "running", reading.state:
        case "running" | "stopped", "ended":
            happened.append(events.EngineEvent("ended", place, reading.pid))
        case "running", "stopped":
            happened.append(events.EngineEvent("stopped", place, reading.pid))
        case "stopped", "running":
            happened.append(events.EngineEvent("continued", place, reading.pid))
    return after, happened


def _program(state: LabState, reading: readings.ProgramSeen) -> tuple[LabState, list[Event]]:
    before = state.programs.get(reading.ref)
    if before is None:
        return state, []
    now = replace(before, state=reading.state, pid=reading.pid, restarts=reading.restarts, ended=reading.ended)
    after = replace(state, programs=_with(state.programs, reading.ref, now))
    return after, list(programs.happened(before, reading))


def _counted(state: LabState, reading: readings.Counted) -> tuple[LabState, list[Event]]:
    happened: list[Event] = []
    spaces, engines = dict(state.spaces), dict(state.engines)
    for name, counted in reading.links.items():
        if (space := spaces.get(name)) and space.there:
            links = dict(space.links)
            for index, counters in counted.items():
                if interface := links.get(index):
                    happened += _dropped_by_link(space.place(index), interface, counters)
                    links[index] = replace(interface, meter=interface.meter.sampled(state.at, counters))
            spaces[name] = replace(space, links=links)
    for device, numbers in reading.engines.items():
        if engine := engines.get(device):
            happened += _dropped_by_engine(str(device), engine.counters, numbers)
            meter = engine.meter.sampled(state.at, _traffic(numbers))
            engines[device] = replace(engine, counters=numbers, meter=meter)
    return replace(state, spaces=spaces, engines=engines), happened


def _traffic(counters: Mapping[str, int]) -> LinkCounters:
    """Return what an engine has carried, as the counters of its interface are named."""
    return LinkCounters(
        rx_packets=counters.get("tun_written_packets", 0),
        tx_packets=counters.get("tun_read_packets", 0),
        rx_bytes=counters.get("tun_written_bytes", 0),
        tx_bytes=counters.get("tun_read_bytes", 0),
    )


def _dropped_by_link(place: str, interface: Interface, now: LinkCounters) -> Iterator[Event]:
    if not interface.meter.samples:
        return
    before = interface.meter.counters
    for reason, old, new, way in (
        ("rx_dropped", before.rx_dropped, now.rx_dropped, "in"),
        ("tx_dropped", before.tx_dropped, now.tx_dropped, "out"),
    ):
        if (count := new - old) > 0:
            told = f"{_packets(count)} dropped by the interface, on the way {way}"
            yield events.DropEvent("counted", place, reason, count, told)


def _dropped_by_engine(place: str, before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[Event]:
    for reason in now if before else ():
        if reason.startswith(("out_", "in_")) and (count := now[reason] - before.get(reason, 0)) > 0:
            yield events.DropEvent("counted", place, reason, count, words_for(reason, count))


def _packets(count: int) -> str:
    return f"{count} packet{'s' * (count != 1)}"


def _impaired(place: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Event]:
    for direction in dict.fromkeys((*before, *now)):
        old, new = before.get(direction, NO_IMPAIRMENT), now.get(direction, NO_IMPAIRMENT)
        if old != new:
            yield events.ImpairmentEvent("changed", place, direction, old, new)


def _challenged(before: float, now: float) -> Iterator[Event]:
    if bool(before) != bool(now):
        yield events.ChallengeEvent("runs" if now else "ended", now or before)


def _drifted(before: tuple[readings.Difference, ...], now: tuple[readings.Difference, ...]) -> Iterator[Event]:
    yield from (events.DriftEvent("gone", *astuple(one)) for one in before if one not in now)
    yield from (events.DriftEvent("appeared", *astuple(one)) for one in now if one not in before)


def _checked(state: LabState, reading: readings.Checked) -> tuple[LabState, list[Event]]:
    before = state.checks.get(reading.name) or CheckState(reading.name)
    same = before.verdict == reading.verdict
    why = reading.why or (before.why if same else "")  # what was found out stays true while nothing else is seen
    now = CheckState(reading.name, reading.verdict, reading.observed, why, before.since if same else state.at)
    after = replace(state, checks=_with(state.checks, reading.name, now))
    news = not same or (why and not before.why)
    return after, [events.CheckEvent(reading.verdict, reading.name, reading.observed, why)] if news else []
