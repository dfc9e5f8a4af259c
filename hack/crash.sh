#!/usr/bin/env bash
# crash.sh [OPTION]...: kill -9 at every request that the controller makes in every scene of the end-to-end suite, to Azure and to the API
# server, before it has its effect and after; and each time the same end, and the same changes. Optimized; about half an hour on 2 cores.
#
#   --only TEXT     scenes whose name has TEXT            --scenes N   so many of them, chosen by the seed
#   --points N      so many requests, chosen by the seed  --seed N     (default: another each time; it is printed)
#   --at-once N     runs at the same time (default 12; they mostly wait)
#   --real          on a real kube-apiserver (KUBEBUILDER_ASSETS), at the requests to Azure
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test
cmake --preset release >/dev/null
cmake --build --preset release >/dev/null
mapfile -t programs <build/release/tests/e2e/programs
exec build/release/tests/e2e/e2e_crash_run "$@" "${programs[@]}"
