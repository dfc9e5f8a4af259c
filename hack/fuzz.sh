#!/usr/bin/env bash
# fuzz.sh [MINUTES]: builds the libFuzzer programs of tests/fuzz and runs each for its share of the time (default 11).
#
# The committed corpus is where they begin; what they find on the way stays in a scratch copy. A finding fails the run, and its input is
# named: fix what it shows, then commit it to tests/fuzz/corpus/X under a name that says what it is.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-11}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || { echo "usage: hack/fuzz.sh [MINUTES]" >&2; exit 2; }
./hack/deps.sh build test lint
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz

names=()
for source in tests/fuzz/fuzz_*.c; do
    source=${source##*/fuzz_}
    names+=("${source%.c}")
done
jobs=$(nproc)
seconds=$((minutes * 60 * jobs / ${#names[@]}))
[ "$seconds" -gt 0 ] || seconds=1
scratch=$(mktemp -d)

# One program; what it says is kept in a file of its own.
fuzz() {
    local name=$1 work=$scratch/$1
    mkdir -p "$work/corpus" "$work/findings"
    cp tests/fuzz/corpus/"$name"/* "$work/corpus"
    "build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="$work/findings/" "$work/corpus" >"$work/log" 2>&1
}

running=()
failed=()
# Waits for the oldest program that runs and reports it.
collect() {
    local name=${running[0]%%:*} pid=${running[0]##*:} log status=0
    running=("${running[@]:1}")
    log=$scratch/$name/log
    wait "$pid" || status=$?
    printf '%-12s %10s executions, %s inputs in the corpus\n' "$name" \
        "$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")" "$(find "$scratch/$name/corpus" -type f | wc -l)"
    if [ "$status" != 0 ]; then
        failed+=("$name")
        grep -E 'broken promise|ERROR|SUMMARY|runtime error' "$log" >&2 || tail -n 20 "$log" >&2
        find "$scratch/$name/findings" -type f -printf '  input: %p\n' >&2
    fi
}

echo "${#names[@]} programs, $jobs at a time, $seconds s each"
for name in "${names[@]}"; do
    [ ${#running[@]} -lt "$jobs" ] || collect
    fuzz "$name" &
    running+=("$name:$!")
done
while [ ${#running[@]} -gt 0 ]; do collect; done

if [ ${#failed[@]} -gt 0 ]; then
    echo "fuzz.sh: findings in ${failed[*]}; everything is kept in $scratch" >&2
    exit 1
fi
rm -rf "$scratch"
echo "no findings"
