#!/usr/bin/env bash
# image.sh: builds the container image, without a container engine and without a registry.
#
# The image is an OCI layout written by hand: two layers, a configuration, a manifest, an index, each named by its digest. That is little, asks
# for nothing but tar, gzip and jq, and leaves nothing to chance: the same commit with the same Debian packages gives the same digest,
# wherever and whenever it is built. The layers are gzip, which every registry and runtime takes; zstd would save a sixth.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

usage() {
    cat <<'TEXT'
usage: ./hack/image.sh [--output FILE.tar|DIR] [--tag NAME:TAG]

Builds cosmoscmk, optimized, and an image that holds it, the libraries it loads, certificates, time zones and licences, and nothing else.

  --output   an OCI archive if it ends in .tar, else a folder for an OCI layout, replaced if it is one
             (default build/image/NAME-TAG.tar). The bill of materials, SPDX 2.3, is put beside it: PATH without .tar, with .spdx.json
  --tag      what the image is called (default cosmoscmk:VERSION, as the manifests in deploy/ call it)

SOURCE_DATE_EPOCH (seconds since 1970; default: when HEAD was committed) is the time in it.
TEXT
}
die() { printf 'image.sh: %s\n' "$*" >&2; exit 1; }

root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^project(cosmoscmk VERSION \([^ ]*\).*/\1/p' "$root/CMakeLists.txt")
[ -n "$version" ] || die "CMakeLists.txt does not say which version this is"
tag=cosmoscmk:$version output=
while [ $# -gt 0 ]; do
    case $1 in
    --output) output=${2:?--output needs a path}; shift ;;
    --tag) tag=${2:?--tag needs NAME:TAG}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[[ $tag =~ ^[a-z0-9][a-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9._-]*$ ]] || die "\"$tag\" is no NAME:TAG"
name=${tag%:*}
: "${output:=$root/build/image/${name##*/}-${tag##*:}.tar}"
mkdir -p "$(dirname "$output")"
output=$(cd "$(dirname "$output")" && pwd)/$(basename "$output")
if [ -d "$output" ] && [ ! -f "$output/oci-layout" ] && [ -n "$(ls -A "$output")" ]; then
    die "$output is a folder with something else than an OCI layout in it"
fi

cd "$root"
./hack/deps.sh image
revision=$(git rev-parse HEAD 2>/dev/null) || revision=
[ -z "$revision" ] || [ -z "$(git status --porcelain 2>/dev/null)" ] || revision=$revision-dirty
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)} || die "this is no git clone, so SOURCE_DATE_EPOCH must say when it was made"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- build: from nothing, with options of its own, and without a compiler cache, which could bring what was built elsewhere ---

rm -rf build/image/release
if ! {
    env -u CC -u CFLAGS -u CPPFLAGS -u LDFLAGS -u CMAKE_C_COMPILER_LAUNCHER cmake -G Ninja -S . -B build/image/release \
        -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCOSMOSCMK_TESTS=OFF &&
        CCACHE_DISABLE=1 cmake --build build/image/release --target cosmoscmk
} >"$work/build.log" 2>&1; then
    cat "$work/build.log" >&2
    die "the build failed; its output is above"
fi
./deploy/image/rootfs.sh build/image/release/controller/cosmoscmk "$work"
./deploy/image/sbom.sh "$work" "$name" "$version" "$epoch" >"$work/sbom.json"
# A copy travels with the image. Its name is not one that scanners look for: they find the packages in /var/lib/dpkg/status.d already.
install -D -m 0644 "$work/sbom.json" "$work/cosmoscmk/usr/share/sbom/cosmoscmk.json"

# The image is as safe as the packages here are new. As of the lists that apt has; nothing is fetched for this.
outdated=$(cut -f1 "$work/owners" | grep -v '^cosmoscmk$' | sort -u | xargs apt-cache policy |
    awk '/^[^ ]/ { name = $1 } $1 == "Installed:" { here = $2 } $1 == "Candidate:" && $2 != here { sub(/:$/, "", name); print name }')
[ -z "$outdated" ] || printf 'image.sh: Debian has newer versions of these, which go into the image as they are here; consider apt-get upgrade: %s\n' \
    "${outdated//$'\n'/ }" >&2

# --- layout ---

mkdir -p "$work/oci/blobs/sha256"
sha256() { sha256sum | cut -d' ' -f1; }
pack() { # FOLDER EPOCH FILES...: a tar that depends on names, contents, modes and EPOCH alone
    tar -C "$1" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$2" -cf - "${@:3}"
}
blob() { # FILE: moves it among the blobs; its digest
    local digest
    digest=$(sha256 <"$1")
    mv "$1" "$work/oci/blobs/sha256/$digest"
    printf '%s\n' "$digest"
}
descriptor() { # MEDIA_TYPE DIGEST
    jq -nc --arg type "$1" --arg digest "$2" --argjson size "$(stat -c %s "$work/oci/blobs/sha256/$2")" \
        '{mediaType: $type, digest: "sha256:\($digest)", size: $size}'
}
layer() { # NAME EPOCH: sets layers and diff_ids
    pack "$work/$1" "$2" . >"$work/$1.tar"
    diff_ids+=("sha256:$(sha256 <"$work/$1.tar")")
    gzip -9n "$work/$1.tar"
    layers+=("$(descriptor application/vnd.oci.image.layer.v1.tar+gzip "$(blob "$work/$1.tar.gz")")")
}

# Debian's layer is as old as its newest file, and so stays the same from commit to commit: an update is a download of ours alone.
newest=$(find "$work/debian/usr/lib" "$work/debian/usr/share" -type f -printf '%T@\n' | sort -n | tail -n 1)
layers=() diff_ids=()
layer debian "${newest%.*}"
layer cosmoscmk "$epoch"

created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
labels=$(jq -nc --arg version "$version" --arg revision "$revision" --arg created "$created" '{
    "org.opencontainers.image.title": "cosmoscmk",
    "org.opencontainers.image.description": "Customer-managed keys on existing Azure Cosmos DB accounts, declaratively",
    "org.opencontainers.image.licenses": "Apache-2.0",
    "org.opencontainers.image.version": $version,
    "org.opencontainers.image.created": $created
  } + (if $revision == "" then {} else {"org.opencontainers.image.revision": $revision} end)')

jq -nc --arg created "$created" --arg architecture "$(dpkg --print-architecture)" --argjson labels "$labels" '{
    created: $created,
    architecture: $architecture,
    os: "linux",
    config: {User: "65532:65532", Env: ["PATH=/usr/bin"], Entrypoint: ["/usr/bin/cosmoscmk"], WorkingDir: "/", Labels: $labels},
    rootfs: {type: "layers", diff_ids: $ARGS.positional},
    history: [{created: $created, created_by: "hack/image.sh", comment: "Debian"}, {created: $created, created_by: "hack/image.sh", comment: "cosmoscmk"}]
  }' --args "${diff_ids[@]}" >"$work/config.json"
config=$(blob "$work/config.json")

jq -nc --argjson config "$(descriptor application/vnd.oci.image.config.v1+json "$config")" --argjson labels "$labels" '{
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: $config,
    layers: ($ARGS.positional | map(fromjson)),
    annotations: $labels
  }' --args "${layers[@]}" >"$work/manifest.json"
manifest=$(blob "$work/manifest.json")

# The name as containerd, and as podman and skopeo look for it.
familiar=$name
[[ $familiar == */* ]] || familiar=docker.io/library/$name
jq -nc --argjson manifest "$(descriptor application/vnd.oci.image.manifest.v1+json "$manifest")" --arg tag "${tag##*:}" \
    --arg full "$familiar:${tag##*:}" '{
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [$manifest + {annotations: {"io.containerd.image.name": $full, "org.opencontainers.image.ref.name": $tag}}]
  }' >"$work/oci/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"
# For docker load before Docker 25, which does not read OCI layouts.
jq -nc --arg config "$config" --arg tag "$tag" \
    '[{Config: "blobs/sha256/\($config)", RepoTags: [$tag], Layers: ($ARGS.positional | map(fromjson.digest | "blobs/" + sub(":"; "/")))}]' \
    --args "${layers[@]}" >"$work/oci/manifest.json"

# --- out ---

case $output in
*.tar) pack "$work/oci" "$epoch" oci-layout index.json manifest.json blobs >"$output" ;;
*)
    rm -rf "$output"
    mv "$work/oci" "$output"
    ;;
esac
cp "$work/sbom.json" "${output%.tar}.spdx.json"
compressed=$(jq -nr '[$ARGS.positional[] | fromjson.size] | add / 1e4 | round / 100' --args "${layers[@]}")
printf '%s\n  digest      sha256:%s\n  compressed  %s MB\n  image       %s\n  materials   %s\n' "$tag" "$manifest" "$compressed" "$output" "${output%.tar}.spdx.json"
