"""The core in C under AddressSanitizer and UndefinedBehaviorSanitizer: `python -m tests.engine.sanitize [SECONDS]`.

First its arithmetic alone (`fuzz_common_way.c`), on this machine and on an emulated one of another kind, where there
are a compiler for it and the emulator: both must come to the same. Then for SECONDS under libFuzzer, where clang has
it; else frames are changed at random, which covers less, and CI fails. Then the whole core beside that in Python
(`fuzz_core`).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .core_rig import compile_faulty
from .fuzz_core import datagrams, frame

HARNESS = Path(__file__).with_name("fuzz_common_way.c")
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
SECONDS = 20
TIMES_A_SECOND, TIMES_EMULATED = 100, 100
"""How often each of the frames is changed, where they are changed at random."""
TOGETHER = 2000
"""Frames and trains that go through both cores."""


def corpus(into: Path, number: int = 60, seed: int = 1) -> list[Path]:
    """Write that many frames and trains, each behind a virtio header, and return their files."""
    chance, files = random.Random(seed), []
    for index in range(number):
        if index % 2:
            data, size = datagrams(chance, index % 4 == 1)[0]
            made = bytes(4) + size.to_bytes(2, sys.byteorder) + bytes(4) + data
        else:
            made = frame(chance)
        files.append(into / f"{index:02}")
        files[-1].write_bytes(made)
    return files


def arithmetic(within: Path, seconds: int) -> None:
    """Run the harness. Raise CalledProcessError if it finds a fault; exit where CI has no libFuzzer."""
    inputs, program = within / "corpus", within / "harness"
    guided = ("clang", *SANITIZERS, "-fsanitize=fuzzer", "-DFUZZER", "-o", program, HARNESS)
    if shutil.which("clang") and subprocess.run(guided, check=False).returncode == 0:
        limits = (f"-max_total_time={seconds}", "-max_len=20000", "-verbosity=0", "-print_final_stats=1")
        subprocess.run([program, *limits, inputs], check=True)
        return
    if os.environ.get("CI"):
        sys.exit("sanitize: no libFuzzer (Debian: clang libclang-rt-dev)")
    subprocess.run(["cc", *SANITIZERS, "-o", program, HARNESS], check=True)
    subprocess.run([program, str(TIMES_A_SECOND * seconds), *sorted(inputs.iterdir())], check=True)


def emulated(within: Path) -> None:
    """Run the harness here and on an emulated aarch64. Raise AssertionError if they do not come to the same."""
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64-static")
    if not compiler or not emulator:
        print("aarch64: not tried (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)")
        return
    here, there, files = within / "here", within / "there", sorted((within / "corpus").iterdir())
    for words, program in ((("cc",), here), ((compiler, "-static"), there)):
        subprocess.run([*words, "-O2", "-o", program, HARNESS], check=True)
    told = [
        subprocess.run([*words, str(TIMES_EMULATED), *files], check=True, capture_output=True, text=True).stdout
        for words in ((here,), (emulator, there))
    ]
    assert told[0] == told[1], told
    print("aarch64:", told[1], end="")


def whole(within: Path) -> None:
    """Run both cores side by side, that in C under the sanitizers. Raise CalledProcessError if there is a fault."""
    made = compile_faulty(within, *SANITIZERS)
    asan = subprocess.run(["cc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True).stdout
    environment = {**os.environ, "LD_PRELOAD": asan.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    words = [sys.executable, "-m", "tests.engine.fuzz_core", str(TOGETHER), "1", str(made)]
    subprocess.run(words, check=True, env=environment)


if __name__ == "__main__":
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as made:
        Path(made, "corpus").mkdir()
        corpus(Path(made, "corpus"))
        emulated(Path(made))
        arithmetic(Path(made), seconds)
        whole(Path(made))
