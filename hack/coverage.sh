#!/usr/bin/env bash
# coverage.sh [--no-run]: what the fast suite (unit, fuzz corpora, simulation, end to end) covers, by gcov.
#
# Prints lines and branches for each folder of controller/ and pkg/, then the lines never executed of the four folders that matter most.
# tests/coverage.md says why those that are left are left. With --no-run the counts of the last run are shown again. Whatever is ended by
# kill -9, as the crash tests do, leaves no counts.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test coverage
if [ "${1:-}" != --no-run ]; then
    cmake --preset coverage >/dev/null
    cmake --build --preset coverage
    find build/coverage -name '*.gcda' -delete
    # A failure is somebody else's business, but it is one, and the figures are of what has run.
    ctest --test-dir build/coverage -L 'unit|sim|e2e' -LE 'slow|optimized' -j "$(nproc)" --output-on-failure >build/coverage/tests.log 2>&1 ||
        { tail -n 15 build/coverage/tests.log >&2; echo "coverage.sh: some tests failed; see build/coverage/tests.log" >&2; }
fi
report=build/coverage/report.json
gcovr --root . --filter 'controller/' --filter 'pkg/' --exclude-unreachable-branches --exclude-throw-branches --gcov-ignore-parse-errors \
    --json-summary "$report" --txt build/coverage/report.txt build/coverage >/dev/null 2>build/coverage/gcovr.log ||
    { tail -n 5 build/coverage/gcovr.log >&2; exit 1; }

printf '%-18s %7s %7s %7s %9s %9s %7s\n' folder lines covered '%' branches covered '%'
jq -r '
    def percent($part; $all): if $all == 0 then 100 else ($part * 1000 / $all | floor) / 10 end;
    def row($name): [$name, (map(.line_total) | add), (map(.line_covered) | add), (map(.branch_total) | add), (map(.branch_covered) | add)];
    [.files[] | select(.filename | startswith("build/") | not) | .folder = (.filename | sub("/[^/]*$"; ""))]
    | ((group_by(.folder) | map(row(.[0].folder)))[], row("all"))
    | [.[0], .[1], .[2], percent(.[2]; .[1]), .[3], .[4], percent(.[4]; .[3])] | @tsv' "$report" |
    while IFS=$'\t' read -r row; do
        # shellcheck disable=SC2086 # columns
        printf '%-18s %7s %7s %7s %9s %9s %7s\n' $row
    done

printf '\nnever executed in controller/cmk, pkg/http, pkg/kube and pkg/azure:\n'
awk '/^(controller\/cmk|pkg\/(http|kube|azure))\// && NF > 4 || more { print; more = /,$/ }' build/coverage/report.txt
