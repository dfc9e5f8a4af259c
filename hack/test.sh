#!/usr/bin/env bash
# test.sh: installs what is missing, builds with address and undefined-behaviour sanitizers, runs every fast test.
#
# What needs a real kube-apiserver, or long, is run by .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test
cmake --preset asan-ubsan >/dev/null
cmake --build --preset asan-ubsan
ctest --preset asan-ubsan -LE 'slow|optimized' -j "$(nproc)"
