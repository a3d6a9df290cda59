package authenticode

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/pe"
)

// The certificates that a PC's db holds when it is sold, as in the variables of Debian's package ovmf
// (OVMF_VARS_4M.ms.fd): with the first one Windows is signed, with the second everything else, shim too.
var (
	//go:embed microsoft-windows-production-pca-2011.der
	windowsPCA []byte
	//go:embed microsoft-uefi-ca-2011.der
	uefiCA []byte
)

// Microsoft returns the certificates of db on a machine as it is sold. Newer ones hold those of 2023 too.
func Microsoft() []*x509.Certificate {
	var out []*x509.Certificate
	for _, der := range [][]byte{windowsPCA, uefiCA} {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			panic("authenticode: " + err.Error())
		}
		out = append(out, c)
	}
	return out
}

// Keys are what a list of keys names: certificates, and digests of single programs.
type Keys struct {
	Certificates []*x509.Certificate
	SHA256       [][32]byte
	Cites        []blob.Cite
}

// Has tells whether the list names a program by its digest.
func (k *Keys) Has(sha256 []byte) bool {
	for i := range k.SHA256 {
		if bytes.Equal(k.SHA256[i][:], sha256) {
			return true
		}
	}
	return false
}

// VendorHeader starts shim's section .vendor_cert: cert.S of shim.
type VendorHeader struct {
	AuthorizedSize     uint32 `at:"0x00"`
	DeauthorizedSize   uint32 `at:"0x04"`
	AuthorizedOffset   uint32 `at:"0x08"` // from the start of the section
	DeauthorizedOffset uint32 `at:"0x0c"`
}

// ListHeader is EFI_SIGNATURE_LIST: UEFI 2.10, section 32.4.1.
type ListHeader struct {
	SignatureType       [16]byte `at:"0x00"`
	SignatureListSize   uint32   `at:"0x10"`
	SignatureHeaderSize uint32   `at:"0x14"`
	SignatureSize       uint32   `at:"0x18"` // of one entry, with its owner's GUID
}

// maxKeys bounds how many entries of a list are read; Debian's shim revokes a few hundred programs.
const maxKeys = 10_000

// Vendor reads the keys that shim's builder put into it: whose programs it starts, and which it never does.
func Vendor(f *pe.File) (authorized, deauthorized Keys, err error) {
	s := f.Section(".vendor_cert")
	if s == nil {
		return
	}
	var h VendorHeader
	rec, err := decode.Read(f.R, s.Off, binary.LittleEndian, "vendor keys", &h)
	if err != nil {
		return
	}
	size := min(s.Size, f.Size-s.Off)
	part := func(off, n uint32) ([]byte, int64, error) {
		if int64(off) > size || int64(n) > size-int64(off) {
			return nil, 0, rec.Errorf(&h.AuthorizedSize, fmt.Sprintf("keys inside the section of %d bytes", size), "%d at %#x", n, off)
		}
		data := make([]byte, n)
		_, err := io.ReadFull(io.NewSectionReader(f.R, s.Off+int64(off), int64(n)), data)
		return data, s.Off + int64(off), err
	}
	data, at, err := part(h.AuthorizedOffset, h.AuthorizedSize)
	if err != nil {
		return
	}
	// shim's verify_one_cert: what is no certificate is a list of keys.
	if c, e := x509.ParseCertificate(data); e == nil {
		authorized.Certificates = append(authorized.Certificates, c)
		authorized.cite(f.R, at, int64(len(data)), c)
	} else {
		authorized.parse(f.R, data, at)
	}
	if data, at, err = part(h.DeauthorizedOffset, h.DeauthorizedSize); err == nil {
		deauthorized.parse(f.R, data, at)
	}
	return
}

func (k *Keys) cite(r io.ReaderAt, at, n int64, c *x509.Certificate) {
	for _, sp := range blob.Locate(r, at, n) {
		k.Cites = append(k.Cites, blob.Cite{Span: sp, Name: "certificate", Value: Name(c.Subject)})
	}
}

// GUIDs of signature types, in memory order: UEFI 2.10, section 32.4.1.
const (
	guidX509   = "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72"
	guidSHA256 = "\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28"
)

// parse reads EFI_SIGNATURE_LISTs; what follows a broken one is left out.
func (k *Keys) parse(r io.ReaderAt, data []byte, at int64) {
	const header = 28
	for n := 0; len(data) >= header && n < maxKeys; n++ {
		var h ListHeader
		if _, err := decode.Read(bytes.NewReader(data), 0, binary.LittleEndian, "signature list", &h); err != nil {
			return
		}
		size, skip, entry := int64(h.SignatureListSize), header+int64(h.SignatureHeaderSize), int64(h.SignatureSize)
		if size < skip || size > int64(len(data)) || entry <= 16 {
			return
		}
		for off := skip; off+entry <= size && n < maxKeys; off, n = off+entry, n+1 {
			one := data[off+16 : off+entry]
			switch string(h.SignatureType[:]) {
			case guidX509:
				if c, err := x509.ParseCertificate(one); err == nil {
					k.Certificates = append(k.Certificates, c)
					k.cite(r, at+off+16, entry-16, c)
				}
			case guidSHA256:
				if len(one) == 32 {
					k.SHA256 = append(k.SHA256, [32]byte(one))
				}
			}
		}
		data, at = data[size:], at+size
	}
}
