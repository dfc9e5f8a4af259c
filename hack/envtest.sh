#!/usr/bin/env bash
# Finds or makes a real Kubernetes API server for the tests, and prints the folder that holds it.
#
# The folder has kube-apiserver, etcd and kubectl, and is what the envtest convention calls KUBEBUILDER_ASSETS. The published archive is
# preferred because it takes seconds; building the same programs from Go modules takes minutes, but needs nothing besides Go and a
# module proxy. Only complete folders are ever put in the cache, by renaming, so an interrupted run leaves nothing half made.

set -euo pipefail

# The API server's version and the oldest Go that builds it, best first. No minor older than 1.33: the CRD counts on CEL ratcheting.
readonly KUBERNETES_VERSIONS=(
    'v1.36.3  1.26'
    'v1.35.4  1.25'
    'v1.34.4  1.24'
    'v1.33.13 1.24'
)
readonly ETCD_VERSION=v3.6.5
readonly PROGRAMS=(kube-apiserver etcd kubectl)
readonly RELEASES=https://github.com/kubernetes-sigs/controller-tools/releases/download
readonly RELEASE_INDEX=https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml

readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/envtest

usage() {
    cat <<'TEXT'
usage: hack/envtest.sh [vX.Y.Z]

Prints a folder that holds kube-apiserver, etcd and kubectl of one minor version:

    export KUBEBUILDER_ASSETS=$(hack/envtest.sh)

The first of these that works is used:
  1. the folder that $KUBEBUILDER_ASSETS names, when it is set (an error if it is incomplete)
  2. the cache, ${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/envtest
  3. the published envtest archive, checked against its published SHA-512
  4. a build from Go modules (minutes, and about 3 GB for Go's caches)

With a version, only that Kubernetes version will do. Progress goes to standard error.
TEXT
}

say() { printf 'envtest: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

missing_programs() { # DIR: the names of the programs that DIR lacks
    local program
    for program in "${PROGRAMS[@]}"; do
        [[ -x $1/$program && ! -d $1/$program ]] || printf '%s ' "$program"
    done
}

complete() { [[ -z $(missing_programs "$1") ]]; }

version_at_least() { # HAVE WANT
    [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

platform() { # as Go and the archives name it: linux-amd64
    local os arch
    os=$(uname -s | tr '[:upper:]' '[:lower:]')
    arch=$(uname -m)
    case $arch in
        x86_64) arch=amd64 ;;
        aarch64) arch=arm64 ;;
    esac
    printf '%s-%s' "$os" "$arch"
}

keep() { # DIR VERSION: moves a complete folder into the cache
    complete "$1" || die "$1 is incomplete: it lacks $(missing_programs "$1")"
    rm -rf "${CACHE:?}/$2"
    mv "$1" "$CACHE/$2"
}

# --- cache ---

newest_cached() { # VERSION|'': that version's folder in the cache, or the newest complete one, if any
    local version
    if [[ -n $1 ]]; then
        complete "$CACHE/$1" && printf '%s\n' "$CACHE/$1"
        return
    fi
    while read -r version; do
        if complete "$CACHE/$version"; then
            printf '%s\n' "$CACHE/$version"
            return
        fi
    done < <(cd "$CACHE" && find . -maxdepth 1 -name 'v1.*' | sed 's|^\./||' | sort -rV)
    return 1
}

# --- published archive ---

fetch() { # URL FILE
    curl --fail --silent --show-error --location --proto '=https' --connect-timeout 5 --max-time 600 --output "$2" "$1" 2>"$WORK/curl.err"
}

published() { # INDEX MINOR|VERSION: prints VERSION and SHA-512 of the newest archive for this platform
    awk -v want="$2" -v suffix="-$(platform).tar.gz:" '
        $1 ~ /^envtest-v/ && substr($1, length($1) - length(suffix) + 1) == suffix {
            version = substr($1, 9, length($1) - 8 - length(suffix))
            next
        }
        $1 == "hash:" && version != "" {
            if (version == want || index(version, want ".") == 1) print version, $2
        }
        { version = "" }
    ' "$1" | sort -V | tail -n 1
}

sha512() { # FILE
    if command -v sha512sum >/dev/null; then sha512sum "$1"; else shasum -a 512 "$1"; fi | cut -d ' ' -f 1
}

download() { # VERSION|'': prints the version it put in the cache
    local wanted=$1 row version hash archive
    [[ -n $wanted ]] || wanted=$(cut -d . -f 1,2 <<<"${KUBERNETES_VERSIONS[0]}")
    command -v curl >/dev/null || { say 'no curl: the published archive cannot be fetched'; return 1; }
    say "looking for a published archive of $wanted for $(platform)"
    fetch "$RELEASE_INDEX" "$WORK/index.yaml" || { say "cannot reach it ($(tail -n 1 "$WORK/curl.err"))"; return 1; }
    row=$(published "$WORK/index.yaml" "$wanted")
    [[ -n $row ]] || { say "none is published"; return 1; }
    read -r version hash <<<"$row"
    archive=envtest-$version-$(platform).tar.gz
    fetch "$RELEASES/envtest-$version/$archive" "$WORK/archive" || { say "cannot fetch $archive ($(tail -n 1 "$WORK/curl.err"))"; return 1; }
    [[ $(sha512 "$WORK/archive") == "$hash" ]] || { say "$archive does not have its published SHA-512: refused"; return 1; }
    mkdir "$WORK/unpacked"
    tar -xzf "$WORK/archive" -C "$WORK/unpacked" --strip-components=2 controller-tools/envtest >&2 || return 1
    keep "$WORK/unpacked" "$version"
    printf '%s\n' "$version"
}

# --- build ---

go_version() { # of the Go in PATH, 1.26.1 for instance; fails without Go
    command -v go >/dev/null && go env GOVERSION | sed 's/^go//; s/[^0-9.].*//'
}

buildable_version() { # [VERSION]: the best version that the Go in PATH can build
    local have row version needs
    have=$(go_version) || { say 'no Go in PATH: it cannot be built'; return 1; }
    for row in "${KUBERNETES_VERSIONS[@]}"; do
        read -r version needs <<<"$row"
        [[ -z ${1-} || $1 == "$version" ]] || continue
        if version_at_least "$have" "$needs"; then
            printf '%s\n' "$version"
            return
        fi
        say "Kubernetes $version needs Go $needs; here is $have"
    done
    return 1
}

# k8s.io/kubernetes is published as a module, but requires its staging modules at v0.0.0 and replaces them by folders that the module
# does not hold. A replace in the main module counts for the whole build, so the main module made here names their published versions.
kubernetes_module() { # VERSION DIR
    local mod staging=v0.${1#v1.} name
    mkdir -p "$2"
    mod=$(cd "$2" && go mod download -json "k8s.io/kubernetes@$1" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    [[ -n $mod ]] || { say "the module k8s.io/kubernetes@$1 cannot be fetched"; return 1; }
    {
        printf 'module envtest\n\n'
        grep -E '^(go|godebug) ' "$mod"
        sed -n '/^godebug (/,/^)/p' "$mod"
        printf '\ntool (\n\tk8s.io/kubernetes/cmd/kube-apiserver\n\tk8s.io/kubernetes/cmd/kubectl\n)\n'
        printf '\nrequire k8s.io/kubernetes %s\n\n' "$1"
        awk '$2 == "v0.0.0" && $1 ~ /^k8s\.io\// { print $1 }' "$mod" | while read -r name; do
            printf 'replace %s => %s %s\n' "$name" "$name" "$staging"
        done
    } >"$2/go.mod"
}

etcd_module() { # DIR
    mkdir -p "$1"
    printf 'module envtest\n\ngo 1.24.0\n\ntool go.etcd.io/etcd/server/v3\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$ETCD_VERSION" >"$1/go.mod"
}

go_build() { # MODULE_DIR PROGRAM PACKAGE [LDFLAGS]
    say "building $2"
    (cd "$1" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w ${4-}" -o "$WORK/built/$2" "$3") >&2
}

# It is called where failures do not end the script by themselves (see main), so every step says so.
build() { # VERSION|'': prints the version it put in the cache
    local version stamp started=$SECONDS
    export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOWORK=off
    version=$(buildable_version "$1") || return 1
    stamp="-X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
    stamp+=" -X k8s.io/component-base/version.gitMinor=$(cut -d . -f 2 <<<"$version")"
    say "fetching the modules of Kubernetes $version and etcd $ETCD_VERSION"
    mkdir "$WORK/built"
    etcd_module "$WORK/etcd"
    (cd "$WORK/etcd" && go mod tidy 2>&1 | tail -n 3 >&2) || return 1
    go_build "$WORK/etcd" etcd go.etcd.io/etcd/server/v3 || return 1
    kubernetes_module "$version" "$WORK/kubernetes" || return 1
    (cd "$WORK/kubernetes" && go mod tidy 2>&1 | tail -n 3 >&2) || return 1
    go_build "$WORK/kubernetes" kubectl k8s.io/kubernetes/cmd/kubectl "$stamp" || return 1
    go_build "$WORK/kubernetes" kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$stamp" || return 1
    keep "$WORK/built" "$version"
    say "built in $((SECONDS - started)) s"
    printf '%s\n' "$version"
}

# --- main ---

main() {
    local wanted=${1-} version
    case $wanted in
        -h | --help) usage; return ;;
        '' | v1.[0-9]*.[0-9]*) ;;
        *) usage >&2; exit 2 ;;
    esac

    if [[ -n ${KUBEBUILDER_ASSETS-} ]]; then
        complete "$KUBEBUILDER_ASSETS" || die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks $(missing_programs "$KUBEBUILDER_ASSETS")"
        printf '%s\n' "$KUBEBUILDER_ASSETS"
        return
    fi

    mkdir -p "$CACHE"
    if newest_cached "$wanted"; then return; fi

    # One at a time: whoever waited here finds what the other made.
    exec 9>"$CACHE/.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if newest_cached "$wanted"; then return; fi

    WORK=$(mktemp -d "$CACHE/.work.XXXXXX")
    trap 'chmod -R u+w "$WORK"; rm -rf "$WORK"' EXIT
    version=$(download "$wanted") || version=$(build "$wanted") ||
        die "no API server: set KUBEBUILDER_ASSETS to a folder with ${PROGRAMS[*]}, allow access to github.com, or install Go 1.24 or later with a module proxy."
    printf '%s\n' "$CACHE/$version"
}

main "$@"
