"""A packet that is translated on its way, and the answer to it, which comes back to who has asked."""

from __future__ import annotations

from ipaddress import ip_address

from labctl.diagnosis.translations import NONE, Translations, followed
from labctl.kernel.conntrack import Connection
from labctl.kernel.flow import Flow

HOST, ROUTER, SERVER, BEHIND = map(ip_address, ("10.0.1.2", "192.0.2.1", "198.51.100.1", "10.9.0.7"))
ASKED = Flow(SERVER, HOST, "tcp", 40000, 80)


def test_the_answer_to_what_is_masqueraded_comes_back_to_who_has_asked() -> None:
    nat = Translations(NONE)
    sent = nat.leaving(0, "r", ASKED, ROUTER)
    assert sent == Flow(SERVER, ROUTER, "tcp", 40000, 80)
    back = nat.coming_in(0, "r", sent.answer)
    assert back == ASKED.answer
    assert nat.leaving(0, "r", back, None) is None


def test_what_is_sent_from_that_address_already_is_not_changed() -> None:
    nat = Translations(NONE)
    own = Flow(SERVER, ROUTER, "tcp", 40000, 80)
    assert nat.leaving(0, "r", own, ROUTER) is None and nat.leaving(0, "r", own, None) is None
    assert nat.coming_in(0, "r", own.answer) == own.answer


def test_the_answer_of_who_a_packet_is_redirected_to_comes_from_the_address_that_was_asked() -> None:
    connection = Connection(ASKED, Flow(HOST, BEHIND, "tcp", 8080, 40000), "", answered=False)
    nat = Translations(followed([("r", connection)]))
    came = nat.coming_in(0, "r", ASKED)
    assert came == Flow(BEHIND, HOST, "tcp", 40000, 8080)
    assert nat.leaving(0, "r", came, None) is None
    assert nat.leaving(0, "r", came.answer, None) == ASKED.answer


def test_both_ends_may_be_translated_by_a_ruleset() -> None:
    connection = Connection(ASKED, Flow(ROUTER, BEHIND, "tcp", 80, 40000), "", answered=False)
    nat = Translations(followed([("r", connection)]))
    sent = nat.leaving(0, "r", nat.coming_in(0, "r", ASKED), None)
    assert sent == Flow(BEHIND, ROUTER, "tcp", 40000, 80)
    assert nat.leaving(0, "r", nat.coming_in(0, "r", sent.answer), None) == ASKED.answer


def test_what_another_namespace_or_a_tunnel_carries_is_not_translated() -> None:
    nat = Translations(NONE)
    sent = nat.leaving(0, "r", ASKED, ROUTER)
    assert sent is not None
    assert nat.coming_in(1, "r", sent.answer) == nat.coming_in(0, "s", sent.answer) == sent.answer


def test_a_connection_that_is_not_translated_is_not_followed() -> None:
    assert followed([("r", Connection(ASKED, ASKED.answer, "", answered=True))]) == {}
