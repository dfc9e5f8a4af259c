#!/usr/bin/env bash
# lint.sh: layout, shell scripts, the tree's own rules, and clang-tidy over the product. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test lint
mapfile -t sources < <(git ls-files '*.c' '*.h')
clang-format --dry-run -Werror "${sources[@]}"
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
shellcheck "${scripts[@]}"
./hack/check-tree.sh
cmake --preset dev >/dev/null
run-clang-tidy -quiet -p build/dev -j "$(nproc)" '/(controller|pkg)/' 2>&1 | { grep -E 'warning:|error:' || true; } >build/dev/tidy.log
if [ -s build/dev/tidy.log ]; then
    sort -u build/dev/tidy.log >&2
    exit 1
fi
echo "lint is clean"
