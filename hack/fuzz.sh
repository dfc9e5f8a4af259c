#!/usr/bin/env bash
# fuzz.sh [MINUTES] [NAME...]: builds the libFuzzer programs of tests/fuzz and runs each (or those named) for its share of the time
# (default 14 minutes). A table says how often each was executed, the edges and features that it has reached, and the inputs that reach them.
#
# The committed corpus is where they begin; what they find on the way stays in a scratch copy. A finding fails the run, and its input is
# named: fix what it shows, then commit it to tests/fuzz/corpus/X under a name that says what it is.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-14}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || { echo "usage: hack/fuzz.sh [MINUTES] [NAME...]" >&2; exit 2; }
shift $(($# > 0))
./hack/deps.sh build test lint
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz

names=("$@")
if [ $# = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        source=${source##*/fuzz_}
        names+=("${source%.c}")
    done
fi
jobs=$(nproc)
seconds=$((minutes * 60 * jobs / ${#names[@]}))
[ "$seconds" -gt 0 ] || seconds=1
scratch=$(mktemp -d)

# One program; what it says is kept in a file of its own.
fuzz() {
    local name=$1 work=$scratch/$1 dictionary=()
    mkdir -p "$work/corpus" "$work/findings"
    cp tests/fuzz/corpus/"$name"/* "$work/corpus"
    [ ! -f "tests/fuzz/$name.dict" ] || dictionary=(-dict="tests/fuzz/$name.dict")
    "build/fuzz/tests/fuzz/fuzz_$name" "${dictionary[@]}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="$work/findings/" "$work/corpus" >"$work/log" 2>&1
}

# The last value of this name in libFuzzer's own lines ("#1234 NEW cov: 88 ft: 200 ...").
last() { awk -v name="$1:" '/^#/ { for (i = 1; i < NF; i++) if ($i == name) value = $(i + 1) } END { print value + 0 }' "$2"; }

running=()
failed=()
# Waits for the oldest program that runs and reports it.
collect() {
    local name=${running[0]%%:*} pid=${running[0]##*:} log status=0
    running=("${running[@]:1}")
    log=$scratch/$name/log
    wait "$pid" || status=$?
    printf '%-12s %12s %8s %9s %7s\n' "$name" "$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")" \
        "$(last cov "$log")" "$(last ft "$log")" "$(find "$scratch/$name/corpus" -type f | wc -l)"
    if [ "$status" != 0 ]; then
        failed+=("$name")
        grep -E 'broken promise|ERROR|SUMMARY|runtime error' "$log" >&2 || tail -n 20 "$log" >&2
        find "$scratch/$name/findings" -type f -printf '  input: %p\n' >&2
    fi
}

echo "${#names[@]} programs, $jobs at a time, $seconds s each"
printf '%-12s %12s %8s %9s %7s\n' program executions edges features inputs
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
