#!/usr/bin/env bash
# deps.sh [build|test|lint|coverage|valgrind|conformance|image|image-test]...: installs the Debian packages that are missing for what is named (default: build test).
#
# Asks for nothing when all are there. Needs root or sudo otherwise.
set -euo pipefail

build=(gcc cmake ninja-build pkg-config libcurl4-openssl-dev libyaml-dev libcjson-dev libssl-dev libwebsockets-dev ca-certificates tzdata)
test=(libcmocka-dev openssl curl jq procps lua5.1 lua-cjson)
lint=(clang libclang-rt-14-dev clang-format clang-tidy shellcheck)
coverage=(gcovr jq)
valgrind=(valgrind libc6-dbg) # by the debug symbols of libc it knows the dynamic linker
conformance=(curl jq)
image=("${build[@]}" binutils jq)
image_test=(git libcap2-bin python3-venv skopeo umoci)

packages=()
for what in "${@:-build test}"; do
    for word in $what; do
        case $word in
        build) packages+=("${build[@]}") ;;
        test) packages+=("${test[@]}") ;;
        lint) packages+=("${lint[@]}") ;;
        coverage) packages+=("${coverage[@]}") ;;
        valgrind) packages+=("${valgrind[@]}") ;;
        conformance) packages+=("${conformance[@]}") ;;
        image) packages+=("${image[@]}") ;;
        image-test) packages+=("${image_test[@]}") ;;
        *) echo "deps.sh: unknown set \"$word\"; there are build, test, lint, coverage, valgrind, conformance, image and image-test" >&2; exit 2 ;;
        esac
    done
done
# Debian's own kubectl, Node.js and az, unless there are others already.
case " $* " in
*" test "* | "  ") command -v kubectl >/dev/null || packages+=(kubernetes-client) ;;
esac
case " $* " in
*" conformance "*)
    command -v npm >/dev/null || packages+=(nodejs npm)
    command -v az >/dev/null || packages+=(azure-cli)
    ;;
esac

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "installing: ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps.sh: run as root, or install these packages yourself: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! "${as_root[@]}" apt-get update -q >"$log" 2>&1 ||
    ! "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    cat "$log" >&2
    echo "deps.sh: apt-get could not install the packages above; Debian 12 has them all in its main archive" >&2
    exit 1
fi
