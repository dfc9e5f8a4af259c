#!/usr/bin/env bash
# run.sh BUILD_DIR: the image that hack/image.sh builds is the same from two clones, small, well formed, described by its bill of materials,
# and does the whole job with nothing but its own files.
#
# It runs as a pod would run it: uid 65532, no capability, the image's root as the only file system, into which the test puts what a kubelet
# would: /etc/hosts and the credentials. The fakes are those of BUILD_DIR. Needs root, for chroot; without it (and without sudo) it is skipped,
# and said so; with CI in the environment that is a failure.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: run.sh BUILD_DIR}" && pwd)
readonly CAP_BYTES=12000000 # what the README promises, compressed
readonly DEADLINE_S=90
readonly SPDX_TOOLS=spdx-tools==0.8.3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cosmoscmk/$SPDX_TOOLS

die() { printf 'image: %s\n' "$*" >&2; exit 1; }
passed() { printf 'ok: %s\n' "$*"; }
skip() {
    [ -z "${CI-}" ] || die "$*; CI skips nothing"
    printf 'SKIPPED: %s\n' "$*" >&2
    exit 77
}

if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || skip "running the image in a root of its own needs root"
    exec sudo -n env "PATH=$PATH" "HOME=$HOME" ${CI+"CI=$CI"} "$0" "$@"
fi

work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
chmod 0755 "$work"

"$root/hack/deps.sh" test image image-test
version=$("$build/controller/cosmoscmk" version | sed 's/^cosmoscmk \([^ ]*\).*/\1/')

# --- the same from two clones, with what is not committed yet ---

clone() { # DIR
    git clone -q "$root" "$1"
    git -C "$root" ls-files -co --exclude-standard -z |
        tar -C "$root" --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -C "$1" -xf -
}
layer_of() { jq -r ".layers[$2].digest" "$1/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$1/index.json")"; } # LAYOUT INDEX

clone "$work/one"
clone "$work/elsewhere/and deeper/two"
two="$work/elsewhere/and deeper/two"
"$work/one/hack/image.sh" | tee "$work/out"
"$two/hack/image.sh" --output "$work/second.tar" >/dev/null
archive=$work/one/build/image/cosmoscmk-$version.tar
[ -f "$archive" ] || die "no image of version $version was built"
cmp "$work/one/build/image/release/controller/cosmoscmk" "$two/build/image/release/controller/cosmoscmk" || die "the program depends on where it is built"
cmp "$archive" "$work/second.tar" || die "the images differ"
cmp "${archive%.tar}.spdx.json" "$work/second.spdx.json" || die "the bills of materials differ"
passed "two clones give one image, to the byte"

oci=$work/oci
mkdir "$oci"
tar -C "$oci" -xf "$archive"
digest=$(jq -r '.manifests[0].digest' "$oci/index.json")
grep -q "digest *$digest" "$work/out" || die "image.sh does not say the digest $digest"

SOURCE_DATE_EPOCH=1700000000 "$two/hack/image.sh" --output "$work/older" --tag registry.test:5000/team/cosmoscmk:edge >/dev/null
[ "$(layer_of "$oci" 0)" = "$(layer_of "$work/older" 0)" ] || die "Debian's layer changes with the commit"
[ "$(layer_of "$oci" 1)" != "$(layer_of "$work/older" 1)" ] || die "the time of the commit is not in the image"
[ "$(jq -r '.manifests[0].annotations["io.containerd.image.name"]' "$work/older/index.json")" = registry.test:5000/team/cosmoscmk:edge ] ||
    die "--tag is not what the image is called"
passed "another commit leaves Debian's layer as it is"

# --- small and well formed, as other programs read it ---

(cd "$oci/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum --quiet -c -) || die "a blob is not what its name says"
bytes=$(find "$oci/blobs" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
[ "$bytes" -le $CAP_BYTES ] || die "$bytes bytes compressed are more than $CAP_BYTES"
passed "$bytes bytes compressed, of $CAP_BYTES"

[ "$(skopeo inspect --format '{{.Digest}}' "oci-archive:$archive")" = "$digest" ] || die "skopeo reads another digest"
skopeo copy -q "docker-archive:$archive:cosmoscmk:$version" "dir:$work/docker" || die "as an archive of docker's it cannot be read"
skopeo inspect --config "oci-archive:$archive" | jq -e --arg version "$version" '
    .config.User == "65532:65532" and .config.Entrypoint == ["/usr/bin/cosmoscmk"] and .os == "linux"
    and .config.Labels["org.opencontainers.image.version"] == $version
    and .config.Labels["org.opencontainers.image.revision"] != null' >/dev/null || die "its configuration is not as promised"
default=$(sed -n 's/^ARG VERSION=//p' "$root/deploy/image/Dockerfile")
[ "$default" = "$version" ] || die "the Dockerfile is of version $default, the program of $version"
passed "skopeo reads it, as an OCI image and as docker's"

umoci --log error unpack --image "$oci:$version" "$work/bundle"
rootfs=$work/bundle/rootfs
odd=$(find "$rootfs" ! -type l \( -perm /6000 -o -perm /022 -o ! -user 0 -o ! -group 0 \))
[ -z "$odd" ] || die "files with too many rights: $odd"
programs=$(find "$rootfs" -type f -perm /111 ! -name '*.so.*' -printf '/%P\n')
[ "$programs" = /usr/bin/cosmoscmk ] || die "there are other programs than cosmoscmk: $programs"
[ "$(grep -c 'BEGIN CERT' "$rootfs/etc/ssl/certs/ca-certificates.crt")" = "$(dpkg -L ca-certificates | grep -c '^/usr/share/ca-.*\.crt$')" ] ||
    die "the certificate authorities are not those of Debian's package"
passed "umoci unpacks it: one program, nobody but root may write"

# --- the bill of materials ---

sbom=${archive%.tar}.spdx.json
cmp "$sbom" "$rootfs/usr/share/sbom/cosmoscmk.json" || die "the bill of materials in the image is another one"
jq -e --arg version "$version" '
    ([.packages[], .files[], .] | map(.SPDXID)) as $ids
    | .spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0"
    and ($ids | length == (unique | length))
    and ([.relationships[] | .spdxElementId, .relatedSpdxElement] - $ids == [])
    and ([.packages[] | select(.name == "cosmoscmk" and .primaryPackagePurpose == "APPLICATION") | .versionInfo + " " + .licenseDeclared]
        == [$version + " Apache-2.0"])
    and all(.packages[] | select(.supplier == "Organization: Debian"); .versionInfo != "" and (.externalRefs | length == 1))
' "$sbom" >/dev/null || die "the bill of materials contradicts itself"
# Each file of the image but the bill itself, with its checksum, and no other.
diff <(jq -r '.files[] | "\(.checksums[] | select(.algorithm == "SHA256") | .checksumValue)  \(.fileName)"' "$sbom" | sort) \
    <(cd "$rootfs" && find . -type f ! -path ./usr/share/sbom/cosmoscmk.json -print0 | xargs -0 sha256sum | sort) ||
    die "the bill of materials is not that of these files"
jq -r '.packages[] | select(.supplier == "Organization: Debian") | .name' "$sbom" | while read -r package; do
    [ -s "$rootfs/usr/share/doc/$package/copyright" ] || die "the licence of $package is not in the image"
    grep -q "^Package: $package\$" "$rootfs/var/lib/dpkg/status.d/$package" || die "scanners would not find $package"
done
passed "the bill of materials names every file, and every package has its licence in the image"

if [ ! -x "$cache/bin/pyspdxtools" ]; then
    { python3 -m venv --clear "$cache" && "$cache/bin/pip" -q install "$SPDX_TOOLS"; } >"$work/pip.log" 2>&1 || cat "$work/pip.log" >&2
fi
if [ -x "$cache/bin/pyspdxtools" ]; then
    "$cache/bin/pyspdxtools" -i "$sbom" || die "spdx-tools finds faults with the bill of materials"
    passed "spdx-tools finds it valid"
else
    [ -z "${CI-}" ] || die "$SPDX_TOOLS cannot be installed; CI skips nothing"
    echo "SKIPPED: validation by $SPDX_TOOLS, which cannot be installed" >&2
fi

# --- it runs, alone ---

inside() { # PROGRAM ARGUMENTS...: takes the place of this shell, as the image's user, without capabilities and without a way to any
    exec env -i PATH=/usr/bin "${settings[@]}" /usr/sbin/capsh --drop=all --no-new-privs --chroot="$rootfs" --gid=65532 --groups=65532 \
        --uid=65532 --shell="$1" -- "${@:2}"
}
settings=()
[ "$(inside /usr/bin/cosmoscmk version)" = "$("$build/controller/cosmoscmk" version)" ] || die "it does not say its version"
[ "$(inside /usr/bin/cosmoscmk --version)" = "cosmoscmk $version" ] || die "--version is not version"
(inside /usr/bin/cosmoscmk explain Encrypted) | grep -q 'read back from Azure' || die "it does not explain"
loader=/$(cd "$rootfs" && echo lib*/ld-linux*)
(inside "$loader" --list /usr/bin/cosmoscmk) >"$work/libraries" || die "not all libraries are in the image"
[ "$(grep -c '=>' "$work/libraries")" -gt 5 ] || die "the loader says nothing"
passed "version and explain, with its own libraries"

await_file() { # FILE LOG
    for _ in $(seq 100); do
        [ ! -s "$1" ] || return 0
        sleep 0.1
    done
    cat "$2" >&2
    die "a program did not start; its log is above"
}
"$build/tests/fakes/fake-azure" --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts "$root/tests/fakes/demo-accounts.json" \
    --client-id 00000000-0000-0000-0000-00000000000b --client-secret image-secret >"$work/azure.log" 2>&1 &
pids+=($!)
"$build/tests/fakes/fake-apiserver" --tls-dir "$work/api" --ready-file "$work/api.url" --kubeconfig-out "$work/kubeconfig" \
    >"$work/api.log" 2>&1 &
pids+=($!)
await_file "$work/api.url" "$work/api.log"
await_file "$work/azure.url" "$work/azure.log"
azure=$(cat "$work/azure.url")
export KUBECONFIG=$work/kubeconfig
kubectl apply -f "$root/crd/cosmoscmk.yaml" >/dev/null
# Time zones from the image, one of them a link; the periods are always, so that the test does not depend on the hour.
always='periods: [{days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun], start: "00:00", duration: 24h}]'
for sample in periodic:Asia/Calcutta continuous:America/Argentina/Buenos_Aires; do
    { cat "$root/deploy/samples/${sample%:*}.yaml"; printf '  window: {timeZone: %s, %s}\n' "${sample#*:}" "$always"; } | kubectl apply -f - >/dev/null
done

# What the kubelet mounts. The API server has a name that only /etc/hosts knows; Azure is trusted through the image's own bundle.
mkdir "$rootfs/run"
cluster=$(kubectl config view -o jsonpath='{.clusters[0].name}')
port=$(sed 's/.*:\([0-9]*\).*/\1/' "$work/api.url")
cp "$work/kubeconfig" "$rootfs/run/kubeconfig"
kubectl --kubeconfig "$rootfs/run/kubeconfig" config set-cluster "$cluster" --server="https://apiserver.test:$port" --tls-server-name=localhost \
    --certificate-authority="$work/api/ca.pem" --embed-certs >/dev/null
chmod 0644 "$rootfs/run/kubeconfig"
echo '127.0.0.1 localhost apiserver.test' >"$rootfs/etc/hosts"
cat "$work/azure/ca.pem" >>"$rootfs/etc/ssl/certs/ca-certificates.crt"
(cd "$rootfs" && find . -printf '%p %s %T@\n' | sort) >"$work/before"

settings=(AZURE_TENANT_ID=00000000-0000-0000-0000-00000000000a AZURE_CLIENT_ID=00000000-0000-0000-0000-00000000000b
    AZURE_CLIENT_SECRET=image-secret LD_DEBUG=files)
(inside /usr/bin/cosmoscmk controller --kubeconfig /run/kubeconfig --arm-endpoint "$azure" --authority-host "$azure" --probe-address '' \
    --poll-min 500ms --poll-max 2s --log-format json) >"$work/controller.log" 2>&1 &
controller=$!
pids+=("$controller")
if ! kubectl wait --for=condition=Ready ccmk/orders ccmk/ledger --timeout=${DEADLINE_S}s; then
    grep '^{' "$work/controller.log" | tail -n 30 >&2
    kubectl get ccmk -o yaml >&2
    die "the accounts did not become ready; the log and the resources are above"
fi
passed "two accounts encrypted: names from /etc/hosts, TLS with its own bundle, its own time zones"

kill -0 "$controller" || die "the controller has ended"
for line in $'Uid:\t65532\t65532\t65532\t65532' $'NoNewPrivs:\t1' CapEff:$'\t'0000000000000000 CapPrm:$'\t'0000000000000000 CapBnd:$'\t'0000000000000000; do
    grep -q "^$line" "/proc/$controller/status" || die "the controller runs with other rights than it should: no $line"
done
[ "$(readlink "/proc/$controller/root")" = "$rootfs" ] || die "the controller runs in another root"
if grep -E 'dynamically loaded|cannot open shared object' "$work/controller.log"; then
    die "it loads libraries that rootfs.sh does not know of"
fi
grep -q 'file=libcurl' "$work/controller.log" || die "the loader did not say what it loads"
(cd "$rootfs" && find . -printf '%p %s %T@\n' | sort) | diff "$work/before" - || die "it writes to its file system"
passed "without a capability, loading nothing later, writing nothing"
