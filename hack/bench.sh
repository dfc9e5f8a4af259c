#!/usr/bin/env bash
# bench.sh: measures cosmoscmk beside a controller-runtime controller that does the same job, in one run on one machine.
#
# Both watch a real kube-apiserver and work on the same fake-azure, each on namespaces and accounts of its own, so that neither sees what
# the other does. Figures of a process are what the kernel says of it; times of requests are what the servers say (audit log and journal).
# The pieces are in tests/bench: parts.sh measures, *.jq evaluate, fleet.c makes resources, peer/ is the other controller.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: ./hack/bench.sh [--quick] [--readme] [--output FILE] [--skip PART,...] [--big N] [--steady SECONDS]

Prints a Markdown table, and writes all figures as JSON. About 35 minutes, an hour with the peer at 100,000.

  --quick     small fleets and short windows: shows that it works; the figures mean little
  --readme    puts the table into README.md, between its two bench markers
  --output    where the JSON goes (default build/bench.json)
  --skip      parts to leave out, of: build, test, image, idle, latency, life, steady, big
  --big       resources in the big fleet (default 100000)
  --big-alone the peer does not take part in that
  --steady    seconds over which the steady state is watched (default 630, in which each resource's turn comes once, as
              it does every 10 minutes by default; in a shorter one it comes once, too, so that processor time is higher)

Needs KUBEBUILDER_ASSETS, or finds them with hack/envtest.sh. Without Go there is no peer, and the table says so.
TEXT
}
die() { printf 'bench.sh: %s\n' "$*" >&2; exit 1; }

quick='' readme='' output=build/bench.json skip=, big='' big_alone='' steady=''
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1 ;;
    --readme) readme=1 ;;
    --output) output=${2:?--output needs a file}; shift ;;
    --skip) skip=,${2:?--skip needs parts},; shift ;;
    --big) big=${2:?--big needs a number}; shift ;;
    --big-alone) big_alone=1 ;;
    --steady) steady=${2:?--steady needs seconds}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
skipped() { [[ $skip == *",$1,"* ]]; }

# What a run is made of; read by tests/bench/parts.sh.
# shellcheck disable=SC2034
if [ -n "$quick" ]; then
    SAMPLES=5 LIFE=10 FLEET=100 BIG=${big:-300} STEADY_S=${steady:-12} IDLE_S=3 SETTLE_S=3
    skip=${skip}build,test,image,
else
    SAMPLES=200 LIFE=1000 FLEET=10000 BIG=${big:-100000} STEADY_S=${steady:-630} IDLE_S=60 SETTLE_S=20
fi
[[ $BIG =~ ^[0-9]+$ && $STEADY_S =~ ^[0-9]+$ ]] || die "--big and --steady take numbers"
# 630 s are one turn of every resource at the default of 10 minutes and up to a tenth more; other windows get as many turns.
RESYNC=$((STEADY_S * 600 / 630))s
readonly SUBSCRIPTIONS=1000 WORKERS=4 RESYNC

./hack/deps.sh build test
work=$(mktemp -d)
: >"$work/figures"
# shellcheck source=tests/bench/parts.sh
. tests/bench/parts.sh
trap clean_up EXIT
trap 'exit 130' INT TERM

build_programs
start_servers
for part in build test image idle latency life steady big; do
    skipped "$part" || "part_$part"
done

mkdir -p "$(dirname "$output")"
describe_run | jq --slurpfile figures "$work/figures" '. + {figures: $figures}' >"$output"
jq -r -f tests/bench/table.jq "$output" | tee "$work/table.md"
printf '\nAll figures: %s\n' "$output" >&2
if [ -n "$readme" ]; then
    # shellcheck disable=SC2016
    awk -v table="$work/table.md" '
        /<!-- bench:end -->/ { inside = 0; seen++ }
        !inside { print }
        /<!-- bench:begin -->/ { inside = 1; seen++; while ((getline line < table) > 0) print line }
        END { exit seen != 2 }' README.md >"$work/README.md" || die "README.md has not the two markers bench:begin and bench:end"
    cp "$work/README.md" README.md
fi
