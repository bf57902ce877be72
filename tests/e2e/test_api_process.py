"""What a Python program runs in a namespace, and sees beside that: at any moment, from any thread."""

from __future__ import annotations

from tests.e2e.labs import PAIR
from tests.e2e.test_api import python
from tests.e2e.world import World


def in_pair(here: World, program: str) -> str:
    """Run a Python program to which `lab` is a lab of two namespaces, and `left` one of them."""
    lines = "".join(f"    {line}\n" for line in program.splitlines())
    return python(
        here,
        "import sys\n"
        "from labctl import CommandFailed, CommandTimedOut, Lab, UsageError\n"
        "from labctl.process.processes import state_of\n"
        "with Lab.up(sys.argv[1]) as lab:\n"
        f"    left = lab['left']\n{lines}",
        here.file("pair.yaml", PAIR),
    )


def test_a_command_that_writes_without_a_pause_has_no_more_time_than_another(as_user: World) -> None:
    shown = in_pair(
        as_user,
        """
try:
    left.run("yes", timeout=0.3)
except CommandTimedOut as late:
    print(late.what, late.stdout[:4])
""",
    )
    assert shown == "'yes' has not ended in 0.3 s y\ny\n\n"


def test_communicate_goes_on_where_its_time_was_over(as_user: World) -> None:
    in_pair(
        as_user,
        """
with left.popen(["sh", "-c", "cat; echo read; kill -STOP $$; echo on"], stdin=-1, stdout=-1) as process:
    try:
        process.communicate("input ", timeout=0.3)
    except CommandTimedOut as late:
        assert "input read\\n".startswith(late.stdout), late.stdout
    else:
        raise AssertionError("it is stopped")
    while state_of(process.pid) != "T":
        assert process.poll() is None
    process.send_signal(signal.SIGCONT)
    assert process.communicate() == ("input read\\non\\n", "")
    assert process.communicate(timeout=0) == ("input read\\non\\n", "")

with left.popen("true", stdin=-1) as process:
    process.wait()
    process.stdin.write("unread")
    assert process.communicate() == ("", "")
""",
    )


def test_threads_that_wait_for_one_command_all_hear_how_it_ended(as_user: World) -> None:
    in_pair(
        as_user,
        """
from concurrent.futures import ThreadPoolExecutor

for code in range(20):
    with left.popen(["sh", "-c", f"read line; exit {code}"], stdin=-1) as process, ThreadPoolExecutor(8) as threads:
        ends = [threads.submit(process.wait) for _ in range(8)]
        assert process.poll() is None
        process.stdin.write("go\\n")
        process.stdin.close()
        assert [end.result() for end in ends] == [code] * 8
        assert process.poll() == process.wait(0) == code
""",
    )


def test_what_is_no_usual_end_or_command_is_an_error_of_labctl(as_user: World) -> None:
    shown = in_pair(
        as_user,
        """
for wrong, error in (
    (lambda: left.run(["sh", "-c", "kill -37 $$"], check=True), CommandFailed),
    (lambda: left.run("echo 'one"), UsageError),
):
    try:
        wrong()
    except error as found:
        print(found.what)
""",
    )
    assert shown.splitlines() == [
        "\"sh -c 'kill -37 $$'\" ended with signal 37",
        '"echo \'one" cannot be cut into words',
    ]


def test_a_capture_that_has_all_before_its_block_ends_has_all(here: World) -> None:
    in_pair(
        here,
        """
send = "import socket; s = socket.socket(type=2); [s.sendto(bytes(1400), ('192.0.2.2', 9)) for _ in range(600)]"
with lab.capture("left:eth0", filter="udp", count=500) as capture:
    left.run([sys.executable, "-c", send], check=True)
    capture._call.wait(None)  # its packets are more than a socket holds
assert len(capture.packets) == 500
""",
    )


def test_what_another_thread_closes_ends_for_the_one_that_waits(as_user: World) -> None:
    in_pair(
        as_user,
        """
from concurrent.futures import ThreadPoolExecutor

for opened in (lab.events, lambda: lab.logs(follow=True)):
    with ThreadPoolExecutor(1) as threads:
        stream = opened()
        waits = threads.submit(list, stream)
        while not waits.running():
            pass
        left.run("true")
        stream.close()
        waits.result()
        assert list(stream) == []
""",
    )


def test_what_goes_on_beside_is_ended_by_a_thread_that_leaves_signals_to_another(here: World) -> None:
    python(
        here,
        """
        import sys
        from labctl import Lab

        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        with Lab.up(sys.argv[1]) as lab:
            lab.events().close()
        """,
        here.file("pair.yaml", PAIR),
    )


def test_a_lab_that_ends_while_labs_are_listed_is_left_out(here: World) -> None:
    python(
        here,
        """
        import sys
        from labctl import Lab
        from labctl.api.work.inspect import summarized
        from labctl.lab.own_labs import own_labs

        with Lab.up(sys.argv[1]):
            found = own_labs()
            assert [line.lab for lab, context in found.items() for line in summarized(lab, context)] == ["pair"]
        assert [line for lab, context in found.items() for line in summarized(lab, context)] == []
        """,
        here.file("pair.yaml", PAIR),
    )
