#!/usr/bin/env bash
# mutate-rules.sh: does anything notice when a row of the rules' table is wrong? Every row is dropped, its predicate negated, and
# swapped with the next one; each time the tables of tests/unit/cmk and the reduced set of the model (tests/model) are run.
#
# Prints one line a mutant and what killed it. Fails when one survives that tests/model/survivors.txt does not explain, or when one
# that is explained there is killed: that list says what is true.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test
build=build/mutants
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$build" --target mutants >/dev/null
mapfile -t rows < <(sed -n '/^static const struct cmk_rule table/,/^};/s/^    {"\([a-z-]*\)".*/\1/p' controller/cmk/rules.c)
programs=$build/tests/model

# Says who notices the mutant $1.
killers() {
    local test found=()
    for test in rules conditions fold events safety; do
        COSMOSCMK_MUTANT=$1 timeout 120 "$programs/mutant_unit_$test" >/dev/null 2>&1 || found+=("unit_cmk_$test")
    done
    COSMOSCMK_MUTANT=$1 timeout 300 "$programs/mutant_model" --reduced >/dev/null 2>&1 || found+=(model)
    echo "${found[*]:-survived}"
}

survivors=()
killed=0 by_model=0 by_units=0 total=0
for kind in drop negate swap; do
    for i in "${!rows[@]}"; do
        [ "$kind" != swap ] || [ "$i" -lt $((${#rows[@]} - 1)) ] || continue
        who=$(killers "$kind:$i")
        total=$((total + 1))
        printf '%-7s %-22s %s\n' "$kind" "${rows[$i]}" "$who"
        if [ "$who" = survived ]; then
            survivors+=("$kind ${rows[$i]}")
            continue
        fi
        killed=$((killed + 1))
        [[ $who != *model* ]] || by_model=$((by_model + 1))
        [[ $who != *unit* ]] || by_units=$((by_units + 1))
    done
done

echo "$total mutants, $killed killed: $by_units by the tables, $by_model by the model; ${#survivors[@]} survived"
printf '%s\n' "${survivors[@]}" | sed '/^$/d' | sort |
    diff <(sed -n 's/^\(drop\|negate\|swap\) \([a-z-]*\):.*/\1 \2/p' tests/model/survivors.txt | sort) - ||
    { echo "mutate-rules: the survivors are not those that tests/model/survivors.txt explains (< there, > here)" >&2; exit 1; }
