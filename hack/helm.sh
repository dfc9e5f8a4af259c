#!/usr/bin/env bash
# Finds or builds Helm for the checks of deploy/chart, and prints the path of the program.
#
# Built from its Go module at one version, because rendering is compared byte by byte in places; only a whole program is ever put in the
# cache, by renaming. It is never installed anywhere.

set -euo pipefail

readonly VERSION=v3.20.2
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/helm

usage() {
    cat <<TEXT
usage: hack/helm.sh

Prints the path of a helm program. The first of these that works is used:
  1. the program that \$HELM names, when it is set (an error if it is none)
  2. the cache, \${XDG_CACHE_HOME:-\$HOME/.cache}/cosmoscmk/helm/$VERSION
  3. a build of $VERSION from its Go module (about two minutes)
  4. whatever helm is in PATH, if it is version 3 or 4

Exits with 77 when there is none and CI is not set, with 1 when it is. Progress goes to standard error.
TEXT
}

say() { printf 'helm: %s\n' "$*" >&2; }

usable() { "$1" version --short 2>/dev/null | grep -qE '^v[34]\.'; }

build() ( # in a module of its own, so that the version is the one above and nothing in GOPATH/bin is touched
    command -v go >/dev/null || { say "no Go in PATH: it cannot be built"; exit 1; }
    work=$(mktemp -d "$CACHE/.work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
    say "building $VERSION"
    cd "$work"
    printf 'module helm\n\ngo 1.24.0\n\ntool helm.sh/helm/v3/cmd/helm\n\nrequire helm.sh/helm/v3 %s\n' "$VERSION" >go.mod
    go mod tidy >tidy.log 2>&1 || { tail -n 3 tidy.log >&2; exit 1; }
    go build -trimpath -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=$VERSION" -o helm helm.sh/helm/v3/cmd/helm >&2 || exit 1
    mkdir -p "$CACHE/$VERSION"
    mv helm "$CACHE/$VERSION/helm"
)

main() {
    case ${1-} in
    '') ;;
    -h | --help) usage; return ;;
    *) usage >&2; exit 2 ;;
    esac

    if [ -n "${HELM-}" ]; then
        usable "$HELM" || { say "\$HELM ($HELM) is no Helm 3 or 4"; exit 1; }
        printf '%s\n' "$HELM"
        return
    fi
    mkdir -p "$CACHE"
    # One at a time: whoever waited here finds what the other made.
    exec 9>"$CACHE/.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if [ -x "$CACHE/$VERSION/helm" ] || build; then
        printf '%s\n' "$CACHE/$VERSION/helm"
    elif command -v helm >/dev/null && usable helm; then
        command -v helm
    else
        say "SKIPPED: there is no Helm and it cannot be built: install Go 1.24 or later with a module proxy, or set HELM"
        [ -z "${CI-}" ] || exit 1
        exit 77
    fi
}

main "$@"
