#!/bin/sh
# Makes the small image archives beside it with umoci, skopeo and buildah, and records what these tools
# say of them. Needs root (umoci unpack keeps owners), umoci, skopeo, buildah, jq.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
stamp='2024-01-02T03:04:05Z'

# layer 1: files, a hard link, a symbolic link, modes, owners, a long name
mkdir -p one/etc one/opt/data/sub one/opt/old one/bin
echo root:x:0:0::/:/bin/sh >one/etc/passwd
printf '#!/bin/sh\necho hello\n' >one/bin/hello
chmod 755 one/bin/hello
ln one/bin/hello one/bin/again
ln -s hello one/bin/link
echo v1 >one/opt/data/a
echo v1 >one/opt/data/sub/b
echo gone >one/opt/old/x
echo keep >one/opt/keep
long=$(printf '%0150d' 7)
echo long >one/opt/$long
chown 1000:1001 one/opt/keep
chmod 4711 one/opt/keep
chmod 1777 one/opt/old
cp one/bin/hello one/bin/suid
chown 1000:1001 one/bin/suid
chmod 4711 one/bin/suid
# layer 2: a file in place of a directory, a directory in place of a file
mkdir -p two/keep
echo new >two/keep/inside
echo file >two/old

umoci init --layout small
umoci new --image small:one
umoci insert --image small:one --history.created "$stamp" --history.created_by 'copy one' one /
umoci insert --image small:one --history.created "$stamp" --history.created_by 'copy two' two /opt
umoci insert --image small:one --history.created "$stamp" --history.created_by 'remove link' --whiteout /bin/link
mkdir three && echo v2 >three/new
umoci insert --image small:one --history.created "$stamp" --history.created_by 'replace data' --opaque three /opt/data
umoci config --image small:one --no-history --created "$stamp" --architecture amd64 --os linux \
	--config.entrypoint /bin/hello --config.cmd one --config.cmd 'two words' --config.env 'PATH=/bin' \
	--config.env 'A=b=c' --config.user 1000:1001 --config.workingdir /opt --config.label k=v
umoci gc --layout small

skopeo copy -q oci:small:one oci-archive:"$work/small.oci.tar":one
skopeo copy -q oci:small:one docker-archive:"$work/small.docker.tar":example.com/small:one --additional-tag small:two
skopeo copy -q --dest-compress-format zstd --dest-force-compress-format oci:small:one oci-archive:"$work/small.zstd.oci.tar":one 2>/dev/null ||
	skopeo copy -q --dest-compress-format zstd dir:"$(mkdir d && skopeo copy -q --dest-decompress oci:small:one dir:d && echo "$work/d")" oci-archive:"$work/small.zstd.oci.tar":one

# the same layers for three platforms in one index
for p in amd64 arm64/v8 arm/v7; do
	tag=$(echo $p | tr / -)
	cp -r small m-$tag
	umoci config --image m-$tag:one --no-history --architecture "${p%/*}"
done
buildah manifest create multi >/dev/null
buildah manifest add --arch amd64 --os linux multi oci:m-amd64:one >/dev/null
buildah manifest add --arch arm64 --variant v8 --os linux multi oci:m-arm64-v8:one >/dev/null
buildah manifest add --arch arm --variant v7 --os linux multi oci:m-arm-v7:one >/dev/null
buildah manifest push -q --all multi oci-archive:"$work/multi.oci.tar":example.com/multi:1
buildah manifest rm multi >/dev/null

umoci unpack --image small:one bundle
( cd bundle/rootfs && find . -mindepth 1 -printf '%P\t%y\t0%m\t%U\t%G\t%s\t%l\t%n\n' | LC_ALL=C sort ) |
	awk -F'\t' -v OFS='\t' '$2=="d" {$6=0} {print}' >"$here/small.files.tsv"
for f in small.oci small.docker small.zstd.oci; do
	case $f in *oci) t=oci-archive ;; *) t=docker-archive ;; esac
	jq -n --arg v "$(skopeo --version)" \
		--argjson inspect "$(skopeo inspect $t:$work/$f.tar)" \
		--argjson manifest "$(skopeo inspect --raw $t:$work/$f.tar)" \
		--argjson config "$(skopeo inspect --config $t:$work/$f.tar)" \
		'{tool: $v, inspect: $inspect, manifest: $manifest, config: $config}' >"$here/$f.json"
	gzip -9n <"$work/$f.tar" >"$here/$f.tar.gz"
done
skopeo inspect --raw oci-archive:"$work/multi.oci.tar" >"$here/multi.oci.json"
gzip -9n <"$work/multi.oci.tar" >"$here/multi.oci.tar.gz"
