#!/usr/bin/env bash
# test_bench.sh: a quick run of hack/bench.sh prints every row and takes every figure that a quick run takes. What the figures are is not
# looked at. Skipped, and said so, without KUBEBUILDER_ASSETS; with CI in the environment that is a failure. Without Go there is no peer, and
# bench.sh and the table say so.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    [ -z "${CI-}" ] || { printf 'test_bench.sh: %s; CI skips nothing\n' "$1" >&2; exit 1; }
    printf 'SKIPPED: %s\n' "$1" >&2
    exit 77
}
[ -n "${KUBEBUILDER_ASSETS-}" ] || skip "KUBEBUILDER_ASSETS names no kube-apiserver (hack/envtest.sh)"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
./hack/bench.sh --quick --output "$out/figures.json" >"$out/table.md"
cat "$out/table.md"
fail() { printf 'test_bench.sh: %s\n' "$1" >&2; exit 1; }
rows=$(grep -c '^| ' "$out/table.md")
[ "$rows" = 23 ] || fail "the table has $rows rows with its head instead of 23"
# Builds, tests and image are left out of a quick run; everything else has been measured.
missing=$(grep '^| ' "$out/table.md" | grep 'not measured' | grep -vE '^\| (build|fast tests|container image)' || true)
[ -z "$missing" ] || fail "not measured: $missing"
jq -e '[.figures[].name] | contains(["steady_kube_writes", "steady_cold_ms", "big_rss", "latency_own_p99_us", "life_cpu_ms"])' \
    "$out/figures.json" >/dev/null || fail "figures are missing in the JSON"
