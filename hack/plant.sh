#!/usr/bin/env bash
# plant.sh [NAME...]: does the net hold? Plants the bugs of tests/planted one at a time and shows which test notices each, and how fast.
#
# Each bug is a patch whose head says what is wrong, what it would do to somebody, and the tests that should notice it first, cheapest first.
# Those are run until one fails; when none does, the whole fast suite is. Ends with 1 when a bug goes unnoticed, or a patch does not apply.
# The tree is copied to build/planted, so nothing here is touched. About ten minutes on 2 cores, with ccache less.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2s/^# //p' "$0"; printf '\n  --check   only sees whether every patch applies\n  --list    names them\n'; }
only_check=''
names=()
for argument in "$@"; do
    case $argument in
    --check) only_check=1 ;;
    --list) for patch in tests/planted/*.patch; do printf '%-26s %s\n' "$(basename "$patch" .patch)" "$(head -n 1 "$patch")"; done; exit 0 ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) [ -e "tests/planted/$argument.patch" ] || { printf 'plant.sh: there is no bug %s (--list names them)\n' "$argument" >&2; exit 2; }
       names+=("$argument") ;;
    esac
done
[ ${#names[@]} -gt 0 ] || for patch in tests/planted/*.patch; do names+=("$(basename "$patch" .patch)"); done

applies() { git -C "$1" apply --check "$PWD/tests/planted/$2.patch"; }
if [ -n "$only_check" ]; then
    for name in "${names[@]}"; do applies . "$name" || { printf 'plant.sh: %s does not apply any more\n' "$name" >&2; exit 1; }; done
    printf '%d planted bugs, each applies\n' ${#names[@]}
    exit 0
fi

./hack/deps.sh build test
tree=build/planted/tree out=$PWD/build/planted/log
mkdir -p "$tree"
git ls-files -z | xargs -0 cp -p --parents -t "$tree"
(cd "$tree" && cmake -G Ninja -S . -B build/planted -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null && cmake --build build/planted) >"$out" 2>&1 ||
    { tail -n 20 "$out" >&2; printf 'plant.sh: the tree does not build as it is\n' >&2; exit 1; }

# A test is a program of its own name, but for the model's, those of the cluster, and the end-to-end suite, which needs all of them.
program_of() {
    case $1 in
    model_*) echo model ;;
    cluster_*) echo sim_cluster ;;
    e2e_*) echo all ;;
    *) echo "$1" ;;
    esac
}
# A warning is no error here, so that what is seen is the test.
notices() { # TEST
    cmake --build "$tree/build/planted" --target "$(program_of "$1")" >"$out" 2>&1 || { tail -n 20 "$out" >&2; die "the bug does not compile"; }
    ! ctest --test-dir "$tree/build/planted" -R "^$1\$" --no-tests=error --timeout 600 >"$out" 2>&1
}
die() { printf 'plant.sh: %s\n' "$*" >&2; exit 1; }

plant() { git apply --directory="$tree" "$@"; }
whole_suite() {
    cmake --build "$tree/build/planted" >"$out" 2>&1 || die "the bug does not compile"
    ctest --test-dir "$tree/build/planted" -LE 'slow|optimized' -j "$(nproc)" --timeout 600 >"$out" 2>&1 || true
    sed -n 's/^[[:space:]]*[0-9]* - \([a-z0-9_]*\) (.*/\1/p' "$out" | grep -v -e check_ | head -n 1
}

missed=0
printf '%-26s %-24s %s\n' bug 'noticed by' seconds
for name in "${names[@]}"; do
    patch=tests/planted/$name.patch
    plant "$patch" || die "$name does not apply any more"
    begin=$SECONDS by=''
    read -ra tests < <(sed -n 's/^Tests: //p' "$patch")
    for test in "${tests[@]}"; do
        if notices "$test"; then by=$test; break; fi
    done
    [ -n "$by" ] || by=$(whole_suite)
    [ -n "$by" ] || { by='NOBODY'; missed=$((missed + 1)); }
    printf '%-26s %-24s %d\n' "$name" "$by" $((SECONDS - begin))
    plant -R "$patch"
done
printf '%d bugs planted, %d noticed\n' ${#names[@]} $((${#names[@]} - missed))
[ $missed = 0 ]
