"""Rules of the file: what mends one is its line, for `labctl up` would make it again."""

from __future__ import annotations

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.kernel.nftables.ruleset import Chain, Rule
from labctl.plan.firewall import Entry, Part
from labctl.plan.steps import SetFirewall
from labctl.topology.ruleset_lines import ChainLines, lines_of


def of_rule(case: Case, namespace: str, chain: Chain, rule: Rule, text: str) -> str:
    """Return the line of a rule and what to write there; empty where the rule is not the file's."""
    known = _rules(case, namespace, chain)
    wanted = Entry(rule.words, rule.digest)
    number = next((number for number, entry in enumerate(known) if entry == wanted), None)
    if number is None:
        return ""
    lines = _lines(case, namespace, chain)
    certain = lines is not None and lines.rules is not None and len(lines.rules) == len(known)
    line = lines.rules[number] if certain and lines and lines.rules else lines.line if lines else None
    return _write(case, namespace, line, text)


def of_policy(case: Case, namespace: str, chain: Chain, text: str) -> str:
    """Return the line of the policy of a chain and what to write there; empty where it is not the file's."""
    space = case.topology.namespaces.get(namespace)
    changed = any(isinstance(each.step, SetFirewall) and each.step.namespace == namespace for each in case.changes)
    applied = case.space(namespace).firewall
    if space is None or not space.nft or applied is None or _part(chain) not in applied.listing:
        return ""
    if changed and f"policy {chain.policy};" not in applied.listing[_part(chain)][0].words:
        return ""
    lines = _lines(case, namespace, chain)
    return _write(case, namespace, (lines.policy or lines.line) if lines else None, text)


def has_table(case: Case, namespace: str, family: str, table: str) -> bool:
    """Return whether a namespace has a table because its file asks for it."""
    applied = case.space(namespace).firewall
    return applied is not None and (family, table) in applied.tables


def _part(chain: Chain) -> Part:
    return Part(chain.family, chain.table, "chain", chain.name)


def _rules(case: Case, namespace: str, chain: Chain) -> tuple[Entry, ...]:
    """Return the rules that a chain has by the file, none where the file has no ruleset."""
    space, applied = case.topology.namespaces.get(namespace), case.space(namespace).firewall
    return applied.listing.get(_part(chain), ())[1:] if space and space.nft and applied else ()


def _lines(case: Case, namespace: str, chain: Chain) -> ChainLines | None:
    ruleset = case.topology.namespaces[namespace].nft or ""
    return lines_of(ruleset).get((chain.family, chain.table, chain.name))


def _write(case: Case, namespace: str, line: int | None, text: str) -> str:
    path: tuple[str | int, ...] = ("namespaces", namespace, "nft")
    return fixes.write(case, *path, *(() if line is None else (line,)), text=text)
