"""A new lesson, which can be gone through as it is."""

from __future__ import annotations

from pathlib import Path

from labctl.errors import UsageError, kernel_words
from labctl.learn.lesson.load import FILE

TEXT = """\
---
title: A new lesson
minutes: 5
topology: two-site          # one that ships with labctl, or a file in this folder
needs: [ping]               # programs that the student uses
vars:
  host: {from: 20, to: 250} # $host, another number for each seed
steps:
  - name: reach-the-other-site
    setup:                  # what the lab is like when the step begins
      - {in: siteA, run: ip route del 10.0.102.0/24}
    predict:                # asked before the student looks
      question: siteA has lost its route into the tunnel. What will ping say?
      choices: [nothing comes back, the network is unreachable]
      right: the network is unreachable
      because: Without a route the kernel of siteA refuses to send, and tells ping so at once.
    check:                  # labctl's own checks: what has to hold in the end
      - name: across
        description: A ping from siteA to 10.0.102.1 is answered.
        ping: {from: siteA, to: 10.0.102.1}
    hints:                  # from the vaguest to the plainest; the diagnosis of labctl comes before them
      - Look at the routes of siteA.
      - {goal: across, why: route, text: "`ip route add` is the way back."}
    solve:                  # one way to do it, for those who skip the step
      - {in: siteA, run: ip route add 10.0.102.0/24 dev tun0}
---
What comes before the first heading introduces the lesson.

## Reach the other site

Ping the other end of the tunnel:

```console
$ labctl exec siteA -- ping -c 1 10.0.102.1
```

Find out what is wrong, and mend it.

### What happened

This part is shown once the step is done. No interface has 10.0.102.$host yet.
"""


def write_new(directory: Path) -> Path:
    """Write a new lesson into a directory that is made for it, and return its file. Raise UsageError."""
    file = directory / FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with file.open("x") as new:
            new.write(TEXT)
    except FileExistsError:
        raise UsageError(f"{file} is there already", "", "name another folder") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written", kernel_words(error), "name a folder of your own") from None
    return file
