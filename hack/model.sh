#!/usr/bin/env bash
# model.sh [NAME...]: explores every world of the model (tests/model/README.md), or those named, optimized, and prints what each was.
# Ends with 1 and the shortest trace to it when an invariant breaks. Minutes; about 3 GB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test
cmake -G Ninja -S . -B build/model -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build/model --target model >/dev/null
exec build/model/tests/model/model "$@"
