#!/usr/bin/env bash
# run.sh [BUILD_DIR]: unmodified Azure clients drive fake-azure, and each finds what it would find at Azure.
#
# The clients are others' reading of the same protocol as ours: the az CLI, and Microsoft's SDKs for JavaScript. Where one of them
# stumbles, the fake is wrong and not the client. Everything runs twice: with the fake as it is, and with what it can do differently
# (VARIANTS). What is needed is installed: Debian's packages, and npm's into ~/.cache/cosmoscmk. A client that cannot be had is skipped,
# and said so; with CI in the environment that is a failure. $AZ names another az than the one in PATH.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${1:-$root/build/release}" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/conformance
readonly VARIANTS=(plain other)
readonly OTHER=(--key-visible early --page-size 2 --retry-after 1)

export AZ=${AZ:-az}
export AZURE_TENANT=00000000-0000-0000-0000-00000000000a
export AZURE_CLIENT=00000000-0000-0000-0000-00000000000b
export AZURE_SECRET=conformance-secret
export AZURE_SUBSCRIPTION=00000000-0000-0000-0000-000000000001

work=$(mktemp -d)
fake_pid=
cleanup() {
    [ -z "$fake_pid" ] || kill "$fake_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() { printf 'conformance: %s\n' "$*" >&2; exit 1; }

# --- clients ---

skip() { # WHAT WHY
    [ -z "${CI-}" ] || die "$1: $2; CI skips nothing"
    printf 'SKIPPED: %s: %s\n' "$1" "$2" | tee -a "$work/results" >&2
}

install_modules() { # puts node_modules of the lock file beside copies of the programs
    local lock modules
    lock=$(sha256sum "$here/node/package-lock.json" | cut -c1-16)
    modules=$cache/npm-$lock
    if [ ! -d "$modules" ]; then
        mkdir -p "$cache"
        rm -rf "$modules.new"
        mkdir "$modules.new"
        cp "$here/node/package.json" "$here/node/package-lock.json" "$modules.new"
        npm ci --prefix "$modules.new" --ignore-scripts --no-audit --no-fund >"$work/npm.log" 2>&1 || return 1
        mv "$modules.new" "$modules"
    fi
    mkdir "$work/node"
    cp "$here"/node/*.mjs "$here/node/package.json" "$work/node"
    ln -s "$modules/node_modules" "$work/node/node_modules"
}

find_clients() { # sets CLIENTS
    CLIENTS=()
    "$root/hack/deps.sh" conformance || printf 'conformance: not all Debian packages are here\n' >&2
    if ! command -v "$AZ" >/dev/null; then
        skip az "there is no $AZ"
    else
        CLIENTS+=(az)
    fi
    if ! command -v npm >/dev/null; then
        skip node 'there is no npm'
    elif ! install_modules; then
        tail -n 5 "$work/npm.log" >&2
        skip node 'npm could not install the packages of tests/conformance/node; the end of its output is above'
    else
        CLIENTS+=(arm cosmos)
    fi
}

# --- the fake ---

start_fake() { # VARIANT OPTIONS...
    local dir=$work/$1
    shift
    mkdir "$dir"
    "$build/tests/fakes/fake-azure" --tls-dir "$dir/tls" --ready-file "$dir/url" --accounts "$here/accounts.json" \
        --client-id "$AZURE_CLIENT" --client-secret "$AZURE_SECRET" "$@" >"$dir/log" 2>&1 &
    fake_pid=$!
    for _ in $(seq 300); do
        [ ! -s "$dir/url" ] || break
        kill -0 "$fake_pid" 2>/dev/null || break
        sleep 0.1
    done
    [ -s "$dir/url" ] || { cat "$dir/log" >&2; die 'fake-azure did not start; its log is above'; }
    AZURE_URL=$(cat "$dir/url")
    export AZURE_URL AZURE_CA=$dir/tls/ca.pem AZURE_PROFILE=$dir/profile
}

stop_fake() { # VARIANT
    local status=0
    kill "$fake_pid"
    wait "$fake_pid" || status=$?
    fake_pid=
    [ "$status" = 0 ] && return
    tail -n 40 "$work/$1/log" >&2
    printf 'not ok - fake-azure ends cleanly: it ended with %d; the end of its log is above\n' "$status" | tee -a "$work/results"
}

# --- runs ---

# Each client prints a line "ok - NAME" or "not ok - NAME: WHY" for everything that it checked.
run_client() { # VARIANT CLIENT
    local status=0
    printf '# %s, fake-azure %s\n' "$2" "$1"
    case $2 in
    az) "$here/az.sh" "$1" ;;
    *) NODE_EXTRA_CA_CERTS=$AZURE_CA node "$work/node/$2.mjs" "$1" ;;
    esac >"$work/output" || status=$?
    cat "$work/output"
    grep -E '^(ok|not ok|SKIPPED)' "$work/output" >>"$work/results" || true
    if [ "$status" != 0 ] && ! grep -q '^not ok' "$work/output"; then
        printf 'not ok - %s: it ended with %d\n' "$2" "$status" | tee -a "$work/results"
    fi
}

count() { grep -cE "^$1" "$work/results" || true; }

: >"$work/results"
[ -x "$build/tests/fakes/fake-azure" ] || die "there is no $build/tests/fakes/fake-azure; build first, or name the build folder"
find_clients
for variant in "${VARIANTS[@]}"; do
    options=()
    [ "$variant" != other ] || options=("${OTHER[@]}")
    start_fake "$variant" "${options[@]}"
    for client in "${CLIENTS[@]}"; do run_client "$variant" "$client"; done
    stop_fake "$variant"
done

passed=$(count 'ok -') failed=$(count 'not ok -') skipped=$(count SKIPPED)
[ "$skipped" = 0 ] || { printf '\n'; grep ^SKIPPED "$work/results" | sort -u; } >&2
printf '%d passed, %d failed%s\n' "$passed" "$failed" "$([ "$skipped" = 0 ] || printf ', %d skipped' "$skipped")"
[ "$failed" = 0 ] || exit 1
[ "$passed" != 0 ] || exit 77
