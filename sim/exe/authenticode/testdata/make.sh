#!/bin/sh
# make.sh SHIM [TOOLS]: makes the fixtures. SHIM is shimx64.efi.signed of Debian's package shim-signed; TOOLS is
# the folder with sbsign, sbattach and sbverify of sbsigntool when they are not installed.
#   tiny.efi         a program of two sections (tiny.py)
#   tiny.signed.efi  signed by "bootpath test signer", which "bootpath test CA" issued (ca.der); other.der is a stranger
#   shim.efi.zst     shim with its code zeroed: signatures, vendor keys and SBAT are what Debian published
#   report.txt       what sbverify says
set -eu
cd "$(dirname "$0")"; PATH=${2:-/usr/bin}:$PATH
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
python3 tiny.py tiny.efi
openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj '/CN=bootpath test CA' -keyout "$W/ca.key" -out "$W/ca.pem" 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj '/CN=a stranger' -keyout "$W/other.key" -out "$W/other.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj '/CN=bootpath test signer' -keyout "$W/s.key" -out "$W/s.csr" 2>/dev/null
openssl x509 -req -in "$W/s.csr" -CA "$W/ca.pem" -CAkey "$W/ca.key" -CAcreateserial -days 36500 -out "$W/s.pem" 2>/dev/null
for c in ca other; do openssl x509 -in "$W/$c.pem" -outform der -out "$c.der"; done
sbsign --key "$W/s.key" --cert "$W/s.pem" --output tiny.signed.efi tiny.efi 2>/dev/null
python3 zero.py "$1" "$W/shim.efi"; zstd -q -19 -f "$W/shim.efi" -o shim.efi.zst
{ echo "tiny.signed.efi, ca.pem: $(sbverify --cert "$W/ca.pem" tiny.signed.efi 2>&1)"
  echo "tiny.signed.efi, other.pem: $(sbverify --cert "$W/other.pem" tiny.signed.efi 2>&1 | tail -1)"
  sbverify --list "$1" 2>/dev/null; } >report.txt
