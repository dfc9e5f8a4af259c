#!/usr/bin/env bash
# kstatus.sh PUBLISHED_STATES: what kstatus, Flux and Argo CD make of every state that the controller can publish (kstatus/main.go).
#
# Needs Go and a module proxy. Without them: skipped (77), or failed where CI is set.
set -euo pipefail

states=$(realpath "${1:?usage: kstatus.sh PUBLISHED_STATES}")
cd "$(dirname "$0")"
skip() {
    echo "SKIPPED: $1" >&2
    [ -z "${CI-}" ] || exit 1
    exit 77
}
command -v go >/dev/null || skip 'kstatus is a Go module; install Go 1.25 or later'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd kstatus
go mod download >"$work/log" 2>&1 || { cat "$work/log" >&2; skip 'the Go modules cannot be fetched'; }
go build -o "$work/kstatus" .
"$states" >"$work/states"
"$work/kstatus" ../../../deploy/gitops <"$work/states"
