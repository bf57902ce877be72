"""What browsers send and are sent."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.web.http import EVENTS, MOST, BadRequest, Request, Response, event, request

POST = b"POST /do HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /events?x=1 HTTP/1.1\r\nHost: localhost:8484\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize("length", range(len(GET)))
def test_a_request_is_waited_for_until_it_is_whole(length: int) -> None:
    assert request(GET[:length]) is None


def test_a_request_is_its_path_and_the_host_that_was_asked_for() -> None:
    assert request(GET) == Request("GET", "/events", "localhost:8484")


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"\x16\x03\x01 TLS\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET http://elsewhere/ HTTP/1.1\r\nHost: elsewhere\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (POST + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (POST + b"Content-Type: application/json\r\n\r\n", HTTPStatus.LENGTH_REQUIRED),
        (POST + b"Content-Type: application/json\r\nContent-Length: -1\r\n\r\n", HTTPStatus.LENGTH_REQUIRED),
        (
            POST + b"Content-Type: application/json\r\nContent-Length: 99999\r\n\r\n",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * MOST, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    ],
)
def test_what_is_no_request_for_us_is_refused(received: bytes, status: HTTPStatus) -> None:
    with pytest.raises(BadRequest) as refused:
        request(received)
    assert refused.value.response.status == status


def test_what_is_asked_to_be_done_is_waited_for_until_it_is_whole() -> None:
    whole = POST + b'Content-Type: application/json; charset=utf-8\r\nContent-Length: 13\r\n\r\n{"do":"hint"}'
    assert all(request(whole[:length]) is None for length in range(len(whole)))
    assert request(whole) == Request("POST", "/do", "localhost", b'{"do":"hint"}')


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(received: bytes) -> None:
    try:
        found = request(received + b"\r\n\r\n")
    except BadRequest:
        return
    assert found is not None and found.path.startswith("/")


def test_an_answer_says_how_long_it_is_and_closes() -> None:
    head, _, body = Response(body=b"four").encoded().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == b"four"
    assert b"\r\nContent-Length: 4" in head and b"\r\nConnection: close" in head
    assert Response(body=b"four").encoded(with_body=False) == head + b"\r\n\r\n"


def test_a_stream_does_not_say_how_long_it_is() -> None:
    assert b"Content-Length" not in EVENTS.encoded() and b"text/event-stream" in EVENTS.encoded()


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_an_event_is_three_lines_whatever_it_tells(data: object) -> None:
    kind, told, empty, end = event("change", data).decode().split("\n")
    assert (kind, empty, end) == ("event: change", "", "")
    assert json.loads(told.removeprefix("data: ")) == data


def test_a_name_that_is_not_utf_8_is_told_as_far_as_it_can_be() -> None:
    assert event("lesson", "\udcdcbung") == b'event: lesson\ndata: "?bung"\n\n'
