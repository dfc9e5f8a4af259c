#!/usr/bin/env bash
# sbom.sh DIR NAME VERSION EPOCH: the bill of materials of what rootfs.sh laid out in DIR, as SPDX 2.3 in JSON, to standard output.
#
# A package stands for that part of it which is in the image; its files are listed with their checksums. The licence of a Debian package is
# not asserted, because debian/copyright speaks of the source: the names in it are given as a comment, the text is in the image. Equal input
# gives equal output; EPOCH (seconds since 1970) is when it says it was made.
set -euo pipefail
export LC_ALL=C

[ $# = 4 ] || { echo "usage: sbom.sh DIR NAME VERSION EPOCH" >&2; exit 2; }
dir=$1 name=$2 version=$3 epoch=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each file: package, path, SHA-1, SHA-256. SPDX wants the former of every file.
cut -f2 "$dir/owners" | while read -r path; do
    if [ -f "$dir/debian$path" ]; then echo "$dir/debian$path"; else echo "$dir/cosmoscmk$path"; fi
done >"$work/sources"
paste "$dir/owners" <(xargs -d '\n' sha1sum <"$work/sources" | cut -d' ' -f1) \
    <(xargs -d '\n' sha256sum <"$work/sources" | cut -d' ' -f1) | sort -t $'\t' -k2,2 >"$work/files"

licences_of() { # PACKAGE: the names in its copyright file, if that is made for machines
    local text=$dir/debian/usr/share/doc/${1%%:*}/copyright
    ! head -n 3 "$text" | grep -q '^Format:' || sed -n 's/^License: *//p' "$text" | sort -u | paste -s -d '|'
}

# Each package: name, version, architecture, source, its version, verification code (SPDX 2.3, 7.9), licences. The last may be empty.
cut -f1 "$work/files" | sort -u | while read -r package; do
    code=$(awk -F '\t' -v p="$package" '$1 == p { print $3 }' "$work/files" | sort | tr -d '\n' | sha1sum | cut -d' ' -f1)
    if [ "$package" = cosmoscmk ]; then
        printf '%s\t%s\t\t\t\t%s\t\n' "$package" "$version" "$code"
    else
        dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t' "$package"
        printf '%s\t%s\n' "$code" "$(licences_of "$package")"
    fi
done >"$work/packages"

# shellcheck source=/dev/null
distribution=$(. "$dir/debian/usr/lib/os-release" && echo "$ID-$VERSION_ID")
identity=$(cat "$work/files" "$work/packages" - <<<"$name $version $epoch" | sha256sum | cut -d' ' -f1)

jq -nS --rawfile files "$work/files" --rawfile packages "$work/packages" --arg name "$name" --arg version "$version" \
    --arg distribution "$distribution" --arg identity "$identity" --arg created "$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" '
def rows($text): $text | split("\n") | map(select(. != "") | split("\t"));
def id($kind; $what): "SPDXRef-\($kind)-\($what | gsub("[^A-Za-z0-9.-]"; "-"))";
def related($from; $how; $to): {spdxElementId: $from, relationshipType: $how, relatedSpdxElement: $to};
def open: {copyrightText: "NOASSERTION", licenseConcluded: "NOASSERTION"};
def debian: {
    supplier: "Organization: Debian",
    licenseDeclared: "NOASSERTION",
    sourceInfo: "the part of Debian'"'"'s package \(.[0]) that is in the image; its source is \(.[3]) \(.[4]), kept by snapshot.debian.org",
    externalRefs: [{
      referenceCategory: "PACKAGE-MANAGER",
      referenceType: "purl",
      referenceLocator: "pkg:deb/\($distribution | split("-")[0])/\(.[0] | @uri)@\(.[1] | @uri)?arch=\(.[2])&distro=\($distribution)"
    }]
  } + (if .[6] == "" then {} else
    {licenseComments: "named in /usr/share/doc/\(.[0])/copyright: \(.[6] | split("|") | join("; "))"} end);
def ours: {supplier: "NOASSERTION", licenseDeclared: "Apache-2.0", primaryPackagePurpose: "APPLICATION"};

rows($files) as $f | rows($packages) as $p
| [$f | to_entries[] | . as {key: $n, value: [$package, $path, $sha1, $sha256]} | {
    key: ($package | sub(":.*"; "")),
    value: (open + {
      SPDXID: id("File"; "\($n + 1)"),
      fileName: ".\($path)",
      checksums: [{algorithm: "SHA1", checksumValue: $sha1}, {algorithm: "SHA256", checksumValue: $sha256}],
      licenseInfoInFiles: ["NOASSERTION"]
    })
  }] as $owned
| {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: "\($name)-\($version)",
    documentNamespace: "https://cosmoscmk.io/spdx/\($name)-\($version)-\($identity)",
    creationInfo: {created: $created, creators: ["Tool: cosmoscmk-sbom.sh-\($version)"]},
    packages: ([open + {
        SPDXID: "SPDXRef-Image",
        name: $name,
        versionInfo: $version,
        supplier: "NOASSERTION",
        downloadLocation: "NOASSERTION",
        filesAnalyzed: false,
        licenseDeclared: "NOASSERTION",
        primaryPackagePurpose: "CONTAINER"
      }] + [$p[] | open + {
        SPDXID: id("Package"; .[0]),
        name: .[0],
        versionInfo: .[1],
        downloadLocation: "NOASSERTION",
        filesAnalyzed: true,
        packageVerificationCode: {packageVerificationCodeValue: .[5]},
        licenseInfoFromFiles: ["NOASSERTION"]
      } + (if .[0] == "cosmoscmk" then ours else debian end)]),
    files: [$owned[].value],
    relationships: (
      [related("SPDXRef-DOCUMENT"; "DESCRIBES"; "SPDXRef-Image")]
      + [$p[] | related("SPDXRef-Image"; "CONTAINS"; id("Package"; .[0]))]
      + [$p[] | select(.[0] | . != "cosmoscmk" and . != "base-files") | related(id("Package"; "cosmoscmk"); "DEPENDS_ON"; id("Package"; .[0]))]
      + [$owned[] | related(id("Package"; .key); "CONTAINS"; .value.SPDXID)])
  }'
