#!/bin/sh
# make.sh DISKS CONTAINERS: cut the samples from real images. DISKS holds deb-bios.qcow2, deb-uefi.qcow2,
# deb-sdboot.qcow2, deb-openrc.qcow2, bb-iso.iso and isolinux-iso.iso, CONTAINERS hello.docker.tar,
# busybox.docker.tar, debian-slim.docker.tar, cases.docker.tar and the published alpine-3.20.oci.tar, each built
# as the note says. A slice keeps only what an inspection and a run read.
set -eu
disks=$(realpath "$1") containers=$(realpath "$2")
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
bootpath=$tmp/bootpath
trap 'rm -rf "$tmp"' EXIT
go build -o "$bootpath" ./sim/cmd/bootpath
cut() { out=$1 in=$2 note=$3; shift 3; "$bootpath" slice "$in" -o "content/samples/$out" --note "$note" --sample "${out%.slice}" "$@"; }
debian='Debian 12 from its packages (mmdebstrap, linux-image-cloud-amd64, systemd, initramfs-tools)'
cut debian-bios.slice "$disks/deb-bios.qcow2" "$debian; MBR, ext4, grub-install --target=i386-pc; qemu-img convert -c"
cut debian-uefi.slice "$disks/deb-uefi.qcow2" "$debian; GPT, ESP, ext4, grub-mkimage x86_64-efi; qemu-img convert -c"
cut debian-sdboot.slice "$disks/deb-sdboot.qcow2" "$debian; GPT, ESP with systemd-boot, kernel and initramfs, ext4 root; qemu-img convert -c"
cut debian-openrc.slice "$disks/deb-openrc.qcow2" "Debian 12 from its packages with sysvinit and OpenRC instead of systemd; MBR, ext4, GRUB; qemu-img convert -c"
cut isolinux-iso.slice "$disks/isolinux-iso.iso" "xorriso with ISOLINUX, Debian's kernel and a busybox initramfs, isohybrid"
cut busybox-iso.slice "$disks/bb-iso.iso" "grub-mkrescue with Debian's kernel and a busybox initramfs"
cut hello-scratch.slice "$containers/hello.docker.tar" "a static Go program FROM scratch, buildah"
cut busybox.slice "$containers/busybox.docker.tar" "Debian's busybox-static with every applet linked, buildah"
cut debian-slim.slice "$containers/debian-slim.docker.tar" "Debian 12 minbase without documentation, mmdebstrap and buildah"
cut alpine.slice "$containers/alpine-3.20.oci.tar" "Alpine 3.20.3, amd64 and arm64, as published by alpinelinux/docker-alpine"
cut broken-programs.slice "$containers/cases.docker.tar" "busybox and a folder of programs that do not start: scripts, ELF files, links; buildah"
# What docker export writes: the one layer of the busybox image as a bare tar.
layer=$(tar -xOf "$containers/busybox.docker.tar" manifest.json | sed 's/.*"Layers":\["\([^"]*\)".*/\1/')
tar -xOf "$containers/busybox.docker.tar" "$layer" >"$tmp/busybox-rootfs.tar"
cut busybox-rootfs.slice "$tmp/busybox-rootfs.tar" "the files of the busybox image as one tar, as docker export writes it"
