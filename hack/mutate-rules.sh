#!/usr/bin/env bash
# mutate-rules.sh: does anything notice when a row of the rules' table is wrong? Every row is dropped, its predicate negated, and
# swapped with the next one; each time the tables of tests/unit/cmk and the reduced set of the model (tests/model) are run.
#
# Prints one line a mutant: the first table that noticed, and whether the model did. Fails when one survives that tests/model/survivors.txt does not explain, or when one
# that is explained there is killed: that list says what is true. About a quarter of an hour on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/.."

programs=build/mutants/tests/model

# One mutant, KIND:ROW:NAME: who notices it.
if [ "${1-}" = --one ]; then
    IFS=: read -r kind row name <<<"$2"
    export COSMOSCMK_MUTANT=$kind:$row
    found=()
    dies() { ! { timeout 90 "$@"; } >/dev/null 2>&1; }
    for test in rules conditions fold events safety; do
        dies "$programs/mutant_unit_$test" || continue
        found+=("unit_cmk_$test")
        break
    done
    ! dies "$programs/mutant_model" --reduced || found+=(model)
    printf '%-7s %-22s %s\n' "$kind" "$name" "${found[*]:-survived}"
    exit
fi

./hack/deps.sh build test
cmake -G Ninja -S . -B build/mutants -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build/mutants --target mutants >/dev/null
mapfile -t rows < <(sed -n '/^static const struct cmk_rule table/,/^};/s/^    {"\([a-z-]*\)".*/\1/p' controller/cmk/rules.c)
for kind in drop negate swap; do
    for i in "${!rows[@]}"; do
        [ "$kind" = swap ] && [ "$i" = $((${#rows[@]} - 1)) ] || echo "$kind:$i:${rows[$i]}"
    done
done | xargs -P "$(nproc)" -I{} "$0" --one {} | tee build/mutants/report

count() { grep -c "$@" build/mutants/report || true; }
echo "$(count .) mutants: $(count unit_cmk) noticed by the tables, $(count 'model$') by the model, $(count 'survived$') by nobody"
if ! awk '$3 == "survived" { print $1, $2 }' build/mutants/report | sort |
    diff <(sed -n 's/^\(drop\|negate\|swap\) \([a-z-]*\):.*/\1 \2/p' tests/model/survivors.txt | sort) -; then
    echo "mutate-rules: those that survive are not those that tests/model/survivors.txt explains (< there, > here)" >&2
    exit 1
fi
