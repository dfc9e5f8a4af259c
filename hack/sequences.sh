#!/usr/bin/env bash
# sequences.sh [--seeds N] | --seed K: changes of a CosmosCMK's spec, generated from the CRD's schema (tests/sequences), optimized.
#
# Every value at every moment of an ordinary life, a cut through the pairs, N seeds of longer stories (default 10000), the ways back from
# every state, and every value against a real API server where hack/envtest.sh finds one. --seed K tells one seed again. Ends with 1 and the
# shortest story when one ends as it should not. A quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo "usage: hack/sequences.sh [--seeds N] | --seed K" >&2; exit 2; }

seeds=10000 seed=
case $#:${1-} in
    0:) ;;
    2:--seeds) seeds=$2 ;;
    2:--seed) seed=$2 ;;
    *) usage ;;
esac
[[ $seeds$seed =~ ^[0-9]+$ ]] || usage

./hack/deps.sh build test
programs=(sequences_values sequences_recovery sequences_single sequences_pair sequences_random sequences_admission)
cmake -G Ninja -S . -B build/sequences -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build/sequences --target "${programs[@]}" >/dev/null
bin=$PWD/build/sequences/tests/sequences
cd tests

if [[ -n $seed ]]; then exec "$bin/sequences_random" --seed "$seed"; fi
"$bin/sequences_values"
"$bin/sequences_recovery"
"$bin/sequences_single" --every 1 &
single=$!
"$bin/sequences_pair" --every 11
wait "$single"
"$bin/sequences_random" --seeds "$seeds"
if ! KUBEBUILDER_ASSETS=$(../hack/envtest.sh); then
    echo "SKIPPED: no kube-apiserver was found; the values were not tried on a real one" >&2
    exit 0
fi
export KUBEBUILDER_ASSETS
sequences/admission.sh "$bin/sequences_admission"
