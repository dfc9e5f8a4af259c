#!/usr/bin/env bash
# Finds promtool, or takes it out of Debian's package prometheus, for the tests of the alerts, and prints the path of the program.
#
# The package is not installed: that would start a server.

set -euo pipefail

readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/promtool

usage() {
    cat <<'TEXT'
usage: hack/promtool.sh

Prints the path of a promtool: that of $PROMTOOL, the one in PATH, or one taken out of Debian's package and kept in
${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/promtool. Exits with 77 when there is none and CI is not set, with 1 when it is.
TEXT
}

say() { printf 'promtool: %s\n' "$*" >&2; }

usable() { "$1" --version >/dev/null 2>&1; }

unpack() (
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 1
    work=$(mktemp -d "$CACHE/.work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    cd "$work"
    say "fetching Debian's package prometheus"
    if ! apt-get -q download prometheus >download.log 2>&1; then # perhaps there is no list of packages yet
        if ! { apt-get -q update && apt-get -q download prometheus; } >>download.log 2>&1; then
            tail -n 3 download.log >&2
            exit 1
        fi
    fi
    dpkg-deb -x prometheus_*.deb root
    usable root/usr/bin/promtool || { say 'the one in the package does not run here'; exit 1; }
    mv root/usr/bin/promtool "$CACHE/promtool"
)

main() {
    case ${1-} in
    '') ;;
    -h | --help) usage; return ;;
    *) usage >&2; exit 2 ;;
    esac

    if [ -n "${PROMTOOL-}" ]; then
        usable "$PROMTOOL" || { say "\$PROMTOOL ($PROMTOOL) does not run"; exit 1; }
        printf '%s\n' "$PROMTOOL"
        return
    fi
    if usable promtool; then
        command -v promtool
        return
    fi
    mkdir -p "$CACHE"
    exec 9>"$CACHE/.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if usable "$CACHE/promtool" || unpack; then
        printf '%s\n' "$CACHE/promtool"
    else
        say 'SKIPPED: there is no promtool, and it cannot be had: install prometheus, or set PROMTOOL'
        [ -z "${CI-}" ] || exit 1
        exit 77
    fi
}

main "$@"
