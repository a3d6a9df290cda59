package authenticode

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"bootpath/sim/decode"
)

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidIndirectData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

// hashOf gives the digest that an object identifier names.
func hashOf(oid asn1.ObjectIdentifier) (crypto.Hash, bool) {
	switch oid.String() {
	case "1.3.14.3.2.26":
		return crypto.SHA1, true
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256, true
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384, true
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512, true
	}
	return 0, false
}

// The ways in which a signature fails.
var (
	ErrDigest    = errors.New("the program is not the one that was signed: its digest differs")
	ErrSignature = errors.New("the signature was not made with the signer's key")
	ErrUntrusted = errors.New("no certificate in the signer's chain is trusted")
)

// Check tells whether the signature is one of the program with that Authenticode digest (in the signature's
// own algorithm) and leads to a trusted certificate, which it returns. A signature that cannot be judged
// wraps [decode.ErrUnsupported].
func (s *Signature) Check(digest []byte, trusted []*x509.Certificate) (*x509.Certificate, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	if !bytes.Equal(digest, s.Digest) {
		return nil, ErrDigest
	}
	anchor, err := s.anchor(trusted)
	if err != nil {
		return nil, err
	}
	if err := s.checkMessage(); err != nil {
		return nil, err
	}
	return anchor, nil
}

// anchor follows the issuers from the signer to a trusted certificate.
func (s *Signature) anchor(trusted []*x509.Certificate) (*x509.Certificate, error) {
	for at, depth := s.Signer, 0; depth < maxChain; depth++ {
		for _, t := range trusted {
			if bytes.Equal(t.Raw, at.Raw) {
				return t, nil
			}
		}
		issued := func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, at.RawIssuer) && verify(c, hashOfCertificate(at), at.RawTBSCertificate, at.Signature) == nil
		}
		for _, t := range trusted {
			if issued(t) {
				return t, nil
			}
		}
		var next *x509.Certificate
		for _, c := range s.Chain {
			if c != at && issued(c) {
				next = c
				break
			}
		}
		if next == nil {
			return nil, ErrUntrusted
		}
		at = next
	}
	return nil, ErrUntrusted
}

// checkMessage verifies the message itself: the digest of the content is among the authenticated
// attributes, and the attributes are what the key signed. RFC 2315, sections 9.3 and 9.4.
func (s *Signature) checkMessage() error {
	alg, ok := hashOf(s.info.Digest.Algorithm)
	if !ok {
		return fmt.Errorf("signature: digest algorithm %v: %w", s.info.Digest.Algorithm, decode.ErrUnsupported)
	}
	signed := s.content
	if raw := s.info.Attributes.FullBytes; len(raw) > 0 {
		h := alg.New()
		h.Write(s.content)
		digest, err := messageDigest(s.info.Attributes.Bytes)
		if err != nil {
			return err
		}
		if !bytes.Equal(digest, h.Sum(nil)) {
			return ErrSignature
		}
		// "the DER encoding … of an explicit SET OF tag, rather than of the IMPLICIT [0] tag"
		signed = append([]byte{asn1.TagSet | 0x20}, raw[1:]...)
	}
	return verify(s.Signer, alg, signed, s.info.Encrypted)
}

// messageDigest finds the attribute of that name.
func messageDigest(raw []byte) ([]byte, error) {
	for n := 0; len(raw) > 0 && n < maxCertificates; n++ {
		var a attribute
		rest, err := asn1.Unmarshal(raw, &a)
		if err != nil {
			return nil, fmt.Errorf("signature: attributes: %w", err)
		}
		if a.Type.Equal(oidMessageDigest) {
			var digest []byte
			_, err := asn1.Unmarshal(a.Values.Bytes, &digest)
			return digest, err
		}
		raw = rest
	}
	return nil, errors.New("signature: no message digest among its attributes")
}

// verify checks an RSA signature, the only kind that firmware keys make.
func verify(by *x509.Certificate, alg crypto.Hash, signed, signature []byte) error {
	key, ok := by.PublicKey.(*rsa.PublicKey)
	if !ok || alg == 0 {
		return fmt.Errorf("signature by %s: %s key: %w", Name(by.Subject), by.PublicKeyAlgorithm, decode.ErrUnsupported)
	}
	h := alg.New()
	h.Write(signed)
	if rsa.VerifyPKCS1v15(key, alg, h.Sum(nil), signature) != nil {
		return ErrSignature
	}
	return nil
}

// hashOfCertificate is the digest under a certificate's signature, 0 for one that is not followed.
func hashOfCertificate(c *x509.Certificate) crypto.Hash {
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA:
		return crypto.SHA1
	case x509.SHA256WithRSA:
		return crypto.SHA256
	case x509.SHA384WithRSA:
		return crypto.SHA384
	case x509.SHA512WithRSA:
		return crypto.SHA512
	}
	return 0
}
