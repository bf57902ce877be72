"""`make faults`: inject every fault, score what `verify` says of it, and print a table.

python -m tests.diagnosis [root] [rootless] [--list held_out] [--each FILE] [--only PART] [--jobs N]
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from tests.diagnosis.controls import CONTROLS
from tests.diagnosis.run import Job, run
from tests.diagnosis.table import line, table
from tests.e2e.world import SUITE_IS_ROOT


def main() -> None:
    """Run what the arguments ask for."""
    options = _arguments()
    faults = importlib.import_module(f"tests.diagnosis.{options.list}")
    lists = {**faults.BY_CLASS, "pairs": faults.PAIRS, "controls": CONTROLS}
    asked = [(kind, one) for kind, of_kind in lists.items() for one in of_kind if options.only in one.name]
    report: list[str] = []
    for mode in options.modes or (["root", "rootless"] if SUITE_IS_ROOT else ["rootless"]):
        began = time.monotonic()
        scores = run([Job(mode, kind, one) for kind, one in asked], options.jobs)
        summary = f"## {mode}, {time.monotonic() - began:.0f} s\n\n{table(scores)}\n"
        print(summary, flush=True)
        report += [summary, *map(line, scores), ""]
    if options.each:
        Path(options.each).write_text("\n".join(report))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.diagnosis")
    parser.add_argument("modes", nargs="*", help="root, rootless; both where none is named")
    parser.add_argument("--list", default="faults", help="the module with the faults")
    parser.add_argument("--each", help="write what was said of each fault into this file")
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
