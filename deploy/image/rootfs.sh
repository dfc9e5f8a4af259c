#!/usr/bin/env bash
# rootfs.sh PROGRAM DIR: lays out what the image holds, for hack/image.sh and the Dockerfile alike.
#
#   DIR/debian      Debian's files: the libraries that PROGRAM loads, certificates, time zones, their licences. A layer of its own, because it
#                   changes when Debian does and not with each commit
#   DIR/cosmoscmk   ours: PROGRAM without symbols, /etc, the licence
#   DIR/owners      PACKAGE and PATH, separated by a tab, of every regular file above: what the bill of materials is made from
#
# Debian's files come from its packages and from nothing else on this machine: a library outside of them is an error, and a certificate
# authority that was added here does not get into the image.
set -euo pipefail
export LC_ALL=C

die() { printf 'rootfs.sh: %s\n' "$*" >&2; exit 1; }

[ $# = 2 ] || die "usage: rootfs.sh PROGRAM DIR"
here=$(cd "$(dirname "$0")" && pwd)
program=$1 debian=$2/debian ours=$2/cosmoscmk owners=$2/owners
mkdir -p "$debian" "$ours"
: >"$owners"

own() { printf '%s\t%s\n' "$1" "$2" >>"$owners"; } # PACKAGE PATH

add() { # PACKAGE SOURCE [PATH]: a file of a package, what it points to if it is a link
    local path=${3-$2}
    mkdir -p "$debian${path%/*}"
    cp -pL "$2" "$debian$path"
    own "$1" "$path"
}

package_of() { # FILE: the package with its architecture, if it has more than one
    local real found
    real=$(readlink -f "$1")
    # Packages of Debian 12 still name /lib what lies in /usr/lib.
    found=$(dpkg-query -S "$real" "${real#/usr}" 2>/dev/null | head -n 1) || true
    [ -n "$found" ] || die "$1 is in no Debian package, and so has no place in the image"
    printf '%s\n' "${found%%: *}"
}

# --- libraries, as the loader itself resolves them; nothing that these load later is used: no engines, plugins or modules of theirs ---

loaded=$(env -u LD_LIBRARY_PATH -u LD_PRELOAD ldd "$program")
case $loaded in *'not found'*) die "libraries are missing:"$'\n'"$loaded" ;; esac
while read -r library; do
    path=$library
    [[ $library != /lib/* ]] || path=/usr$library
    add "$(package_of "$library")" "$library" "$path"
done < <(awk '$2 == "=>" { print $3 }' <<<"$loaded")
# The loader is where the program says, which differs between architectures.
loader=$(awk '$1 ~ /^\// { print $1 }' <<<"$loaded")
add "$(package_of "$loader")" "$loader"

# --- certificates, time zones, what Debian this is ---

mkdir -p "$debian/etc/ssl/certs"
dpkg-query -L ca-certificates | grep '^/usr/share/ca-certificates/.*\.crt$' | sort | xargs cat >"$debian/etc/ssl/certs/ca-certificates.crt"
own ca-certificates /etc/ssl/certs/ca-certificates.crt

# Without the two other sets (right/ counts leap seconds) and the tables that people read. Links stay links.
zones=/usr/share/zoneinfo
dpkg-query -L tzdata | grep "^$zones/" | grep -vE "^$zones/(right|posix|localtime|posixrules|leap.*|.*\.(tab|zi))(/|\$)" | sort |
    while read -r zone; do
        [ -h "$zone" ] || [ -f "$zone" ] || continue
        mkdir -p "$debian${zone%/*}"
        cp -pP "$zone" "$debian$zone"
        [ -h "$zone" ] || own tzdata "$zone"
    done

add base-files /usr/lib/os-release
mkdir -p "$debian/etc"
ln -s ../usr/lib/os-release "$debian/etc/os-release"

# --- licences, and the packages where scanners for vulnerabilities look for them in images without dpkg ---

mkdir -p "$debian/var/lib/dpkg/status.d"
cut -f1 "$owners" | sort -u | while read -r package; do
    name=${package%%:*}
    add "$package" "/usr/share/doc/$name/copyright"
    dpkg-query -W -f 'Package: ${Package}\nStatus: ${Status}\nMaintainer: ${Maintainer}\nArchitecture: ${Architecture}
Source: ${source:Package} (${source:Version})\nVersion: ${Version}\n' "$package" >"$debian/var/lib/dpkg/status.d/$name"
    own "$package" "/var/lib/dpkg/status.d/$name"
done
# What these texts refer to.
for licence in /usr/share/common-licenses/*; do
    if [ -h "$licence" ]; then
        cp -pP "$licence" "$debian$licence"
    else
        add base-files "$licence"
    fi
done

# --- ours ---

mkdir -p "$ours/usr/bin" "$ours/usr/share/doc/cosmoscmk" "$ours/etc"
strip --strip-all -o "$ours/usr/bin/cosmoscmk" "$program"
cp "$here"/etc/* "$ours/etc"
cp "$here/../../LICENSE" "$ours/usr/share/doc/cosmoscmk/copyright"
(cd "$ours" && find . -type f -printf '/%P\n') | sort | while read -r path; do own cosmoscmk "$path"; done

chmod -R u=rwX,go=rX "$debian" "$ours"
chmod 0755 "$ours/usr/bin/cosmoscmk"
