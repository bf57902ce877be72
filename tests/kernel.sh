#!/bin/sh
# Lab tests under a stock Debian kernel, where dummy is the real driver: `make test-kernel`, as root, on Debian.
#
# The kernel boots in QEMU, without KVM, with this machine's file system read-only (virtme-ng). Everything is some twenty
# times slower in there, so only the tests of the main job and of the stand-in run; TESTS names others. With the word
# `install` nothing is run: it only tells whether it could be.
set -eu
cd "$(dirname "$0")/.."
: "${TESTS:=tests/e2e/test_story.py tests/e2e/test_stand_in.py}"

if [ "${1-}" = inside ]; then
    export LABCTL_TEST_PATIENCE=300
    modprobe -a tun veth bridge dummy
    chmod 0666 /dev/net/tun
    uname -r
    .venv/bin/labctl up two-site -f json |
        .venv/bin/python -c 'import json, sys; assert json.load(sys.stdin)["substitutions"] == []'
    echo "no stand-in was used"
    .venv/bin/labctl down
    # shellcheck disable=SC2086  # words on purpose
    .venv/bin/python -m pytest -q -p no:cacheprovider --timeout 3600 $TESTS && echo "the kernel tests passed"
    exit
fi

apt-get install -y -qq --no-install-recommends linux-image-amd64 qemu-system-x86 busybox-static kmod >/dev/null
.venv/bin/python -m pip install --quiet --disable-pip-version-check virtme-ng
if [ "${1-}" = install ]; then
    exit
fi

kernel=$(find /boot -name 'vmlinuz-*-amd64' | sort -V | tail -n 1)
mkdir -p build
export PATH="$PWD/.venv/bin:$PATH"
vng --disable-kvm --run "$kernel" --user root --cpus 2 --memory 2G \
    --exec "env TESTS='$TESTS' sh $PWD/tests/kernel.sh inside" 2>&1 | tee build/kernel.log
grep -q '^the kernel tests passed' build/kernel.log
