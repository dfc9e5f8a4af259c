# What the scripts that try the installation share; sourced. Results are lines of TAP, and verdict ends with their number.
# shellcheck shell=bash

# shellcheck disable=SC2034 # for whoever sources this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PASSED=0 FAILED=0 ANSWER=

need_assets() { # WHAT: skips (77), or fails where CI is set, without a real kube-apiserver and its kubectl
    if [ -z "${KUBEBUILDER_ASSETS-}" ]; then
        echo "SKIPPED: $1 needs a real kube-apiserver; set KUBEBUILDER_ASSETS (see hack/envtest.sh)" >&2
        [ -z "${CI-}" ] || exit 1
        exit 77
    fi
    export PATH=$KUBEBUILDER_ASSETS:$PATH
}

report() { # ok|not_ok NAME: ANSWER is shown when it is not ok
    if [ "$1" = ok ]; then
        PASSED=$((PASSED + 1))
        printf 'ok %d - %s\n' $((PASSED + FAILED)) "$2"
    else
        FAILED=$((FAILED + 1))
        printf 'not ok %d - %s\n' $((PASSED + FAILED)) "$2"
        printf '%s\n' "$ANSWER" | head -n 60 | sed 's/^/#   /'
    fi
}

succeeds() { # NAME COMMAND...
    local name=$1 verdict=not_ok
    shift
    if ANSWER=$("$@" 2>&1); then verdict=ok; fi
    report "$verdict" "$name"
}

shows() { # NAME FRAGMENT COMMAND...: the command succeeds and its output has the fragment
    local name=$1 fragment=$2 verdict=not_ok
    shift 2
    if ANSWER=$("$@" 2>&1) && [[ $ANSWER == *"$fragment"* ]]; then verdict=ok; fi
    report "$verdict" "$name"
}

refused() { # NAME FRAGMENT COMMAND...: the command fails, and its output has the fragment
    local name=$1 fragment=$2 verdict=not_ok
    shift 2
    if ! ANSWER=$("$@" 2>&1) && [[ $ANSWER == *"$fragment"* ]]; then verdict=ok; fi
    report "$verdict" "$name"
}

prints_nothing() { # NAME COMMAND...: the command succeeds and has no output
    local name=$1 verdict=not_ok
    shift
    if ANSWER=$("$@" 2>&1) && [ -z "$ANSWER" ]; then verdict=ok; fi
    report "$verdict" "$name"
}

verdict() {
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    [ "$FAILED" = 0 ] && [ "$PASSED" != 0 ]
}

# A file of manifests as one JSON array, with what kinds that kubectl knows get filled in. Needs no server.
objects() { # FILE
    kubectl patch --local --type merge -p '{}' -f "$1" -o json | jq -s .
}
