#!/usr/bin/env bash
# sim.sh [--seeds N | --minutes M] [--from S | --from clock] [--keep-on]: replicas of the whole program in virtual time, with faults drawn
# from seeds (tests/cluster/README.md). A seed that fails prints what is broken, a shortened plan with its trace, and how to run it again.
# sim.sh --seed S: one, with its trace.   sim.sh --plan LINE: one that is given.   sim.sh --plans FILE: one a line, as tests/cluster/plans.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test
cmake -G Ninja -S . -B build/sim -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build/sim --target sim_cluster >/dev/null
exec build/sim/tests/cluster/sim_cluster "$@"
