"""Chromium without a window, by the DevTools protocol over a pipe: messages of JSON, each with a NUL at its end."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.programs import CHROMIUM, needed

_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe"),
)
PATIENCE = 60.0


class Page:
    """A page that is open in the browser."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._unread = b""
        self._number = 0
        self._session: str | None = None
        self.said: list[str] = []  # what the console of the page was told, errors above all

    def attach(self) -> None:
        """Open an empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Return the value of an expression once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"{expression} did not become true; the page said {self.said}"
            time.sleep(0.05)
        return value

    def look(self, width: int, height: int, features: Mapping[str, str]) -> None:
        """Have a window of some size, and prefer what the media features say."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        told = [{"name": name, "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=told)

    def picture(self, file: Path) -> None:
        """Write what is seen of the page as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: object) -> Any:
        """Return the answer of the browser. What it tells meanwhile is passed over, but for errors of the page."""
        self._number += 1
        session = {} if self._session is None else {"sessionId": self._session}
        message = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._received()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def _note(self, told: Mapping[str, Any]) -> None:
        parameters = told.get("params", {})
        if told.get("method") == "Log.entryAdded":
            self.said.append(parameters["entry"]["text"])
        elif told.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(parameters["exceptionDetails"])[:500])

    def _received(self) -> Any:
        while b"\0" not in self._unread:
            assert select.select([self._replies], [], [], PATIENCE)[0], "the browser does not answer"
            part = os.read(self._replies, 1 << 16)
            assert part, "the browser has ended"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


@contextmanager
def browser(start: Callable[..., subprocess.Popen[Any]] = subprocess.Popen) -> Iterator[Page]:
    """Yield an empty page of a browser that is ended afterwards; `start` starts it, as Popen does."""
    theirs, requests = _high_pipe()
    replies, answers = _high_pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        Path(profile).chmod(0o777)  # whoever it runs as
        # It reads descriptor 3 and writes to 4; neither of ours may be one of these.
        place = f"import os, sys; os.dup2({theirs}, 3); os.dup2({answers}, 4); os.execv(sys.argv[1], sys.argv[1:])"
        process = start(
            [sys.executable, "-c", place, needed(*CHROMIUM), *_OPTIONS, f"--user-data-dir={profile}"],
            pass_fds=(theirs, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        try:
            page = Page(requests, replies)
            page.attach()
            yield page
        finally:
            process.terminate()
            process.wait()
            os.close(requests)
            os.close(replies)


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose descriptors are none of the first ones."""
    ends = os.pipe()
    reader, writer = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return reader, writer
