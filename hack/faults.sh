#!/usr/bin/env bash
# faults.sh [ARGUMENTS...]: one call of one function fails, at each position in turn, under the real controller (tests/faults).
#
# Without arguments: every function that the controller or a library on its behalf calls, at most 40 positions of each; a table at the end.
# The arguments are those of the program, for example --only malloc --most 2000 --seed 3, or --case FUNCTION N for one case of a table.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test
cmake --preset asan-ubsan >/dev/null
cmake --build --preset asan-ubsan --target faults
[ $# -gt 0 ] || set -- --most 40
export E2E_OWN_FAKE=1
exec build/asan-ubsan/tests/faults/faults "$@"
