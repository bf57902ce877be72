"""The command line: options in, exit codes out. What a command does is in `lab`, how it reads in `report`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, suppress
from typing import NoReturn

import click

# The modules of the commands are imported to join the group.
from labctl.cli import (  # noqa: F401
    challenge,
    classroom,
    files,
    follow,
    graph,
    inspect,
    learn,
    lesson,
    lifecycle,
    operate,
    packets,
)
from labctl.cli.base import cli
from labctl.cli.errors import print_error, print_usage_error, told
from labctl.cli.streams import OUTPUT, make_reliable
from labctl.errors import ExitCode, LabError, kernel_words
from labctl.process.signals import TERMINATION, ignored, unwind


def main() -> NoReturn:
    """Run the command line, and end at once: the interpreter's own end takes longer than `labctl --help`."""
    make_reliable()
    with ExitStack() as until_the_end:
        code = run_cli(until_the_end)
        with suppress(OSError):  # what an error left in the buffer; the error itself has been reported
            sys.stdout.flush()
        os._exit(code)


def run_cli(until_the_end: ExitStack) -> int:
    """Run the command line; every failure ends in a few lines and an exit code.

    A command enters in `until_the_end` what is to hold until the process ends, which is up to the caller.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, wait(2) does not return how a child ended
    try:
        try:
            code = cli.main(standalone_mode=False, obj=until_the_end)
            sys.stdout.flush()
        except BaseException:
            until_the_end.enter_context(ignored(*TERMINATION))  # a second Ctrl-C does not cut off the report
            raise
    except LabError as error:
        code = told(error)
    except click.ClickException as error:
        print_usage_error(error)
        code = ExitCode.WRONG
    except SystemExit as ended:
        code = int(ended.code or ExitCode.SUCCESS)
    except (KeyboardInterrupt, click.Abort):
        interrupted = LabError("interrupted")
        interrupted.exit_code = code = ExitCode.INTERRUPTED
        print_error(interrupted)
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.SUCCESS
    except Exception as error:
        if isinstance(error, OSError) and error.filename == OUTPUT:
            failure = LabError("not all output could be written", kernel_words(error))
        elif os.environ.get("LABCTL_TRACEBACK"):
            raise
        else:
            failure = LabError(
                "labctl itself failed",
                f"{type(error).__name__}: {error}",
                "please report it, with what LABCTL_TRACEBACK=1 shows for the same command",
            )
        code = told(failure)
    return code or ExitCode.SUCCESS
