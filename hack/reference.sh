#!/usr/bin/env bash
# reference.sh [--check] [PROGRAM]: writes crd/README.md from crd/cosmoscmk.yaml, the tables of controller/cmk and tests/reference/README.in.md.
#
# With --check nothing is written; it fails, and shows the difference, when the page is not current. PROGRAM is the built generator
# (tests/reference); without it, it is built.
set -euo pipefail
cd "$(dirname "$0")/.."

check=
if [ "${1-}" = --check ]; then
    check=1
    shift
fi
program=${1-}
if [ -z "$program" ]; then
    ./hack/deps.sh build test
    cmake --preset dev >/dev/null
    cmake --build --preset dev --target reference >&2
    program=build/dev/tests/reference/reference
fi
page=$(mktemp)
trap 'rm -f "$page"' EXIT
"$program" crd/cosmoscmk.yaml tests/reference/README.in.md >"$page"
if [ -z "$check" ]; then
    cat "$page" >crd/README.md
elif ! diff -u crd/README.md "$page" >&2; then
    echo "reference.sh: crd/README.md is not current; run hack/reference.sh" >&2
    exit 1
fi
