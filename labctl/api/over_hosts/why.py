"""Why over hosts: a ping from one namespace, and of the cables on its way whether one does not carry."""

from __future__ import annotations

from labctl.api.over_hosts.causes import causes
from labctl.api.over_hosts.sessions import sessions
from labctl.api.over_hosts.verify import applied, checking, ends_on
from labctl.checks.run import run
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict
from labctl.hosts.record import Record
from labctl.lab.names import resolve
from labctl.lab.why import Reached, question
from labctl.plan.desired import desired


def why(record: Record, namespace: str, typed: str) -> Reached:
    """Ping an address from a namespace, and explain what is known where nothing comes back. Raise LabError."""
    topology = applied(record)
    sender = resolve(record.lab, namespace, record.namespaces, "no namespace named")
    address, check = question(topology, sender, typed)
    with sessions(record.logins) as found:
        found.reach_all()
        with checking(record, found) as means:
            (result,) = run(desired(topology), [check], means)
        why = [] if result.passed else causes(topology, check, ends_on(record, found)) or [_unknown(record, sender)]
    return Reached(record.lab, sender, str(address), result.passed, result.observed, tuple(why))


def _unknown(record: Record, sender: str) -> Verdict:
    login = record.logins[record.namespaces[sender]]
    words = "no cable between hosts on its way is down; what else takes the packets is not asked over hosts yet"
    fix = f"ssh -t {login} labctl trace {sender} -- COMMAND shows what is there"
    return Verdict(sender, Reason.UNKNOWN, words, (), fix)
