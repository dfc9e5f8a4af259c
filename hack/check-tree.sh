#!/usr/bin/env bash
# check-tree.sh: mechanical rules about the tree itself. Prints every breach and fails if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
breach() {
    printf 'check-tree: %s:\n%s\n' "$1" "$2" >&2
    failed=1
}
sources() {
    find controller pkg tests -name '*.c' -o -name '*.h' | sort
}

odd=$(find . -mindepth 1 -maxdepth 1 ! -name '.*' ! -name CMakeLists.txt ! -name CMakePresets.json ! -name README.md \
    ! -name LICENSE ! -name CONTRIBUTING.md ! -name controller ! -name crd ! -name deploy ! -name pkg ! -name tests ! -name hack \
    ! -name build)
[ -z "$odd" ] || breach 'not part of the agreed top level' "$odd"

# Folders are reached by their name through the target that owns them, never by a path around it.
around=$(sources | xargs grep -nE '#include "\.\.?/' || true)
[ -z "$around" ] || breach 'include by relative path' "$around"

banned=$(sources | xargs grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|system|popen|tmpnam|mktemp)\(' || true)
[ -z "$banned" ] || breach 'banned function' "$banned"

# One file each owns the clocks, the random source and the environment.
clocks=$(sources | grep -v -e '^pkg/base/' -e '^tests/' | xargs grep -nE '(^|[^_[:alnum:].>])(time|clock_gettime|gettimeofday|getenv|secure_getenv|rand|random|getrandom)\(' || true)
[ -z "$clocks" ] || breach 'ask pkg/base instead' "$clocks"

once=$(sources | grep '\.h$' | xargs grep -L '#pragma once' || true)
[ -z "$once" ] || breach 'header without #pragma once' "$once"

[ "$failed" = 0 ] && echo "the tree keeps its rules"
exit "$failed"
