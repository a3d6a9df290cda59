package authenticode

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/pe"
	"bootpath/tests/fixture"
)

func TestLayouts(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&Header{}, 8))
	require.NoError(t, decode.CheckLayout(&VendorHeader{}, 16))
	require.NoError(t, decode.CheckLayout(&ListHeader{}, 28))
	require.NoError(t, decode.CheckLayout(&Levels{}, 12))
}

func data(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return b
}

func program(t testing.TB, b []byte) *pe.File {
	t.Helper()
	f, err := pe.Read(fixture.Blob("x.efi", b), int64(len(b)))
	require.NoError(t, err)
	return f
}

func certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(data(t, name))
	require.NoError(t, err)
	return c
}

// sbverify accepts tiny.signed.efi with ca.pem and refuses it with another certificate: report.txt.
func TestASignatureIsGoodForItsProgramAndItsIssuerOnly(t *testing.T) {
	ca, other := certificate(t, "ca.der"), certificate(t, "other.der")
	signed := data(t, "tiny.signed.efi")
	changed := bytes.Clone(signed)
	changed[0x401] ^= 1
	headers := bytes.Clone(signed)
	headers[0x68] ^= 1 // AddressOfEntryPoint
	checksum := bytes.Clone(signed)
	checksum[0x40+24+0x40] ^= 1
	attributes := bytes.Replace(signed, messageDigestBytes(t, signed), make([]byte, 32), 1)
	for name, c := range map[string]struct {
		program []byte
		trusted []*x509.Certificate
		want    error
	}{
		"trusted issuer":           {signed, []*x509.Certificate{other, ca}, nil},
		"stranger":                 {signed, []*x509.Certificate{other}, ErrUntrusted},
		"nobody is trusted":        {signed, nil, ErrUntrusted},
		"one byte of a section":    {changed, []*x509.Certificate{ca}, ErrDigest},
		"one byte of the headers":  {headers, []*x509.Certificate{ca}, ErrDigest},
		"the checksum":             {checksum, []*x509.Certificate{ca}, nil},
		"a digest that was forged": {attributes, []*x509.Certificate{ca}, ErrSignature},
	} {
		f := program(t, c.program)
		list, err := Read(f)
		require.NoError(t, err, name)
		require.Len(t, list, 1)
		require.Equal(t, "bootpath test signer", Name(list[0].Signer.Subject))
		require.Equal(t, crypto.SHA256, list[0].Algorithm)
		digest, err := Hash(f, list[0].Algorithm)
		require.NoError(t, err)
		anchor, err := list[0].Check(digest, c.trusted)
		require.ErrorIs(t, err, c.want, name)
		if c.want == nil {
			require.Equal(t, "bootpath test CA", Name(anchor.Subject))
		}
	}
}

// messageDigestBytes is the digest among the signed attributes.
func messageDigestBytes(t *testing.T, b []byte) []byte {
	list, err := Read(program(t, b))
	require.NoError(t, err)
	sum := sha256.Sum256(list[0].content)
	require.True(t, bytes.Contains(b, sum[:]))
	return sum[:]
}

func TestAProgramWithoutATable(t *testing.T) {
	list, err := Read(program(t, data(t, "tiny.efi")))
	require.NoError(t, err)
	require.Empty(t, list)
}

// Who signed shim: report.txt, sbverify --list. Its code is zeroed in the fixture.
func TestShim(t *testing.T) {
	f := program(t, fixture.Zst(t, "testdata/shim.efi.zst"))
	list, err := Read(f)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "Microsoft Windows UEFI Driver Publisher", Name(list[0].Signer.Subject))
	require.Equal(t, "Microsoft Corporation UEFI CA 2011", Name(list[0].Signer.Issuer))
	require.Equal(t, "Microsoft UEFI CA 2023 signer", Name(list[1].Signer.Subject))
	require.NotEmpty(t, list[0].Cites)

	anchor, err := list[0].Check(list[0].Digest, Microsoft())
	require.NoError(t, err, "with the digest of the program that was signed")
	require.Equal(t, "Microsoft Corporation UEFI CA 2011", Name(anchor.Subject))
	_, err = list[1].Check(list[1].Digest, Microsoft())
	require.ErrorIs(t, err, ErrUntrusted)
	digest, err := Hash(f, crypto.SHA256)
	require.NoError(t, err)
	_, err = list[0].Check(digest, Microsoft())
	require.ErrorIs(t, err, ErrDigest)

	vendor, revoked, err := Vendor(f)
	require.NoError(t, err)
	require.Equal(t, "Debian Secure Boot CA", Name(vendor.Certificates[0].Subject))
	require.NotEmpty(t, vendor.Cites)
	require.Len(t, revoked.SHA256, 114)
	require.True(t, revoked.Has(revoked.SHA256[7][:]))
	require.False(t, revoked.Has(digest))
}

func TestSBAT(t *testing.T) {
	f := program(t, fixture.Zst(t, "testdata/shim.efi.zst"))
	own, ok := SBAT(f)
	require.True(t, ok)
	require.Equal(t, "shim.debian", own[2].Name)
	require.Equal(t, "16.1", own[2].Version)
	level := SBATLevel(f)
	require.Len(t, level, 3)
	require.Equal(t, "grub", level[2].Name)
	require.Equal(t, 5, level[2].Generation)
	require.Nil(t, Revoked(own, level))
	old := parseSBAT(bytes.NewReader(nil), "sbat,1,SBAT Version\ngrub,3,Free Software Foundation,grub,2.06,https://www.gnu.org/software/grub/\n", 0)
	require.Equal(t, "grub", Revoked(old, level).Name)
	_, ok = SBAT(program(t, data(t, "tiny.efi")))
	require.False(t, ok)
}

func FuzzRead(f *testing.F) {
	f.Add(data(f, "tiny.signed.efi"))
	f.Add(data(f, "tiny.efi"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := pe.Read(fixture.Blob("x.efi", b), int64(len(b)))
		if err != nil {
			return
		}
		digest, _ := Hash(img, crypto.SHA256)
		list, _ := Read(img)
		for i := range list {
			list[i].Check(digest, Microsoft())
			for _, c := range list[i].Cites {
				inside(t, c.Span, len(b))
			}
		}
		vendor, _, _ := Vendor(img)
		for _, c := range vendor.Cites {
			inside(t, c.Span, len(b))
		}
		SBAT(img)
		SBATLevel(img)
	})
}

func inside(t *testing.T, s blob.Span, n int) {
	if s.Off < 0 || s.Len <= 0 || s.Off > int64(n)-s.Len {
		t.Fatalf("%v is outside the %d bytes", s, n)
	}
}
