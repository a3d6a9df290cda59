// Package authenticode reads the signatures of EFI programs and tells whether they are good: UEFI Secure
// Boot accepts a program when one of its signatures leads to a certificate that the machine (or shim)
// trusts. Specifications: "Windows Authenticode Portable Executable Signature Format", 2008; PE Format,
// "The Attribute Certificate Table"; RFC 2315 (PKCS #7); UEFI 2.10, section 32.5.
//
// It does what EDK II and shim do with OpenSSL: dates, key usages and revocation lists are not looked at.
package authenticode

import (
	"bytes"
	"cmp"
	"crypto"
	_ "crypto/sha1" // digests that signatures name
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/pe"
)

// Header is WIN_CERTIFICATE: one entry of the attribute certificate table, in front of its content.
type Header struct {
	Length          uint32 `at:"0x00"` // dwLength, with this header
	Revision        uint16 `at:"0x04"`
	CertificateType uint16 `at:"0x06"` // 2: PKCS #7 SignedData
}

// Values of Header's fields, PE Format.
const (
	Revision2        = 0x0200
	TypePKCSSigned   = 0x0002
	headerSize       = 8
	maxTable         = 1 << 20 // bytes of all signatures; shim's two take 19 KiB
	maxSignatures    = 16
	maxCertificates  = 32
	maxChain         = 8
	certificateEntry = 4 // of the data directories
)

// Signature is one entry of the table.
type Signature struct {
	Off, Len  int64 // of the entry in the file
	Header    Header
	Digest    []byte            // of the program, as the signer saw it
	Algorithm crypto.Hash       // of that digest
	Signer    *x509.Certificate // nil when it is not among the certificates
	Chain     []*x509.Certificate
	Cites     []blob.Cite
	Err       error // why it cannot be used

	info    signerInfo
	content []byte // what the message digest is computed of
}

// The structures of RFC 2315 and of Authenticode, as far as they decide something.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,optional,tag:0"`
}

type signedData struct {
	Version      int
	Algorithms   []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      contentInfo
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	CRLs         asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signerInfo  `asn1:"set"`
}

type signerInfo struct {
	Version int
	Issuer  struct {
		Name   asn1.RawValue
		Serial *big.Int
	}
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue `asn1:"optional,tag:0"` // authenticated
	Encryption pkix.AlgorithmIdentifier
	Encrypted  []byte
	Others     asn1.RawValue `asn1:"optional,tag:1"` // a time stamp
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue `asn1:"set"`
}

type indirectData struct {
	Data struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue `asn1:"optional"`
	}
	Digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
}

// Read lists the signatures of a program, none when it has no table.
func Read(f *pe.File) ([]Signature, error) {
	at, n := int64(f.Certificate.VirtualAddress), int64(f.Certificate.Size)
	if n == 0 {
		return nil, nil
	}
	if n > maxTable || at > f.Size || n > f.Size-at {
		return nil, f.CertificateRec.Errorf(&f.Certificate.Size, fmt.Sprintf("at most %d bytes inside the file of %d", maxTable, f.Size), "%d at %#x", n, at)
	}
	var out []Signature
	for end := at + n; at+headerSize <= end && len(out) < maxSignatures; {
		s := Signature{Off: at}
		rec, err := decode.Read(f.R, at, binary.LittleEndian, "WIN_CERTIFICATE", &s.Header)
		if err != nil {
			return out, err
		}
		s.Len = int64(s.Header.Length)
		if s.Len < headerSize || s.Len > end-at {
			return out, rec.Errorf(&s.Header.Length, fmt.Sprintf("%d to %d", headerSize, end-at), "%d", s.Len)
		}
		s.Cites = rec.CiteAll()
		if s.Header.CertificateType != TypePKCSSigned {
			s.Err = fmt.Errorf("certificate type %#x: %w", s.Header.CertificateType, decode.ErrUnsupported)
		} else {
			s.Err = s.parse(f.R)
		}
		if s.Signer != nil {
			for _, sp := range blob.Locate(f.R, at+headerSize, s.Len-headerSize) {
				s.Cites = append(s.Cites, blob.Cite{Span: sp, Name: "PKCS #7 SignedData", Value: "signed by " + Name(s.Signer.Subject) + ", issued by " + Name(s.Signer.Issuer)})
			}
		}
		out = append(out, s)
		at += (s.Len + 7) &^ 7 // entries start at multiples of 8
	}
	return out, nil
}

// parse reads the PKCS #7 message.
func (s *Signature) parse(r io.ReaderAt) error {
	raw := make([]byte, s.Len-headerSize)
	if n, err := r.ReadAt(raw, s.Off+headerSize); n < len(raw) {
		return fmt.Errorf("signature: %w", err)
	}
	var outer contentInfo
	if _, err := asn1.Unmarshal(raw, &outer); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if !outer.Type.Equal(oidSignedData) {
		return fmt.Errorf("signature: content type %v, not signedData", outer.Type)
	}
	var sd signedData
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &sd); err != nil {
		return fmt.Errorf("signature: signedData: %w", err)
	}
	if len(sd.Signers) != 1 {
		return fmt.Errorf("signature: %d signers, want 1", len(sd.Signers))
	}
	s.info, s.content = sd.Signers[0], nil
	var content asn1.RawValue
	if _, err := asn1.Unmarshal(sd.Content.Content.Bytes, &content); err != nil || !sd.Content.Type.Equal(oidIndirectData) {
		return fmt.Errorf("signature: content of type %v, not an Authenticode digest", sd.Content.Type)
	}
	s.content = content.Bytes
	var id indirectData
	if _, err := asn1.Unmarshal(content.FullBytes, &id); err != nil {
		return fmt.Errorf("signature: SpcIndirectDataContent: %w", err)
	}
	s.Digest = id.Digest.Digest
	var ok bool
	if s.Algorithm, ok = hashOf(id.Digest.Algorithm.Algorithm); !ok {
		return fmt.Errorf("signature: digest algorithm %v: %w", id.Digest.Algorithm.Algorithm, decode.ErrUnsupported)
	}
	return s.certificates(sd.Certificates.Bytes)
}

// certificates reads the certificates that travel with the signature. One that Go's parser refuses is left
// out: it could only matter if it were the signer's.
func (s *Signature) certificates(raw []byte) error {
	for len(raw) > 0 && len(s.Chain) < maxCertificates {
		var one asn1.RawValue
		rest, err := asn1.Unmarshal(raw, &one)
		if err != nil {
			return fmt.Errorf("signature: certificates: %w", err)
		}
		if c, err := x509.ParseCertificate(one.FullBytes); err == nil {
			s.Chain = append(s.Chain, c)
			if bytes.Equal(c.RawIssuer, s.info.Issuer.Name.FullBytes) && c.SerialNumber.Cmp(s.info.Issuer.Serial) == 0 {
				s.Signer = c
			}
		}
		raw = rest
	}
	if s.Signer == nil {
		return errors.New("signature: the signer's certificate is not in it")
	}
	return nil
}

// Hash is the Authenticode digest of a program: of the whole file without the checksum, the directory entry
// of the certificate table and the table itself. Authenticode format, "Calculating the PE Image Hash".
func Hash(f *pe.File, alg crypto.Hash) ([]byte, error) {
	if !alg.Available() {
		return nil, fmt.Errorf("digest %v: %w", alg, decode.ErrUnsupported)
	}
	h := alg.New()
	opt := f.OptionalRec.Off()
	directories := opt + 0x70
	if f.Optional.Magic == pe.PE32 {
		directories = opt + 0x60
	}
	entry := directories + 8*certificateEntry
	checksum := opt + 0x40
	headers := int64(f.Optional.SizeOfHeaders)
	end := f.Size
	if f.Certificate.Size > 0 {
		end = int64(f.Certificate.VirtualAddress)
	}
	if headers < entry+8 || headers > f.Size {
		return nil, f.OptionalRec.Errorf(&f.Optional.SizeOfHeaders, fmt.Sprintf("%d to %d", entry+8, f.Size), "%d", headers)
	}
	copyRange := func(from, to int64) error {
		_, err := io.Copy(h, io.NewSectionReader(f.R, from, to-from))
		return err
	}
	if err := errors.Join(copyRange(0, checksum), copyRange(checksum+4, entry), copyRange(entry+8, headers)); err != nil {
		return nil, err
	}
	sections := make([]*pe.Section, len(f.Sections))
	for i := range sections {
		sections[i] = &f.Sections[i]
	}
	slices.SortStableFunc(sections, func(a, b *pe.Section) int {
		return cmp.Compare(a.Header.PointerToRawData, b.Header.PointerToRawData)
	})
	sum := headers
	for _, section := range sections {
		s := &section.Header
		off, n := int64(s.PointerToRawData), int64(s.SizeOfRawData)
		if n == 0 {
			continue
		}
		// Sections that overlap would make a small file long to read.
		if off > f.Size || n > f.Size-off || sum+n > 2*f.Size {
			return nil, section.Rec.Errorf(&s.SizeOfRawData, fmt.Sprintf("a section inside the file of %d bytes", f.Size), "%d at %#x", n, off)
		}
		if err := copyRange(off, off+n); err != nil {
			return nil, err
		}
		sum += n
	}
	if end > sum { // data behind the last section
		if err := copyRange(sum, end); err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

// Name is a certificate's subject or issuer for people: its common name.
func Name(n pkix.Name) string {
	if n.CommonName != "" {
		return n.CommonName
	}
	return n.String()
}
