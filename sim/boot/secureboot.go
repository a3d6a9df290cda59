package boot

import (
	"crypto"
	"errors"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/exe/authenticode"
	"bootpath/sim/exe/pe"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Signed is what a run found out about the signature of a program.
type Signed struct {
	Path   string `json:"path"`
	Signer string `json:"signer,omitempty"` // subject of the signer's certificate
	Issuer string `json:"issuer,omitempty"`
	By     string `json:"trusted_by,omitempty"` // the certificate of the machine or of shim that vouches for it
	Reason string `json:"refused,omitempty"`    // unsigned | digest | untrusted | signature | unreadable | revoked
}

// secureBoot is who may run on a machine with Secure Boot: first what firmware's db says, then also what
// shim brings.
type secureBoot struct {
	db      authenticode.Keys
	vendor  authenticode.Keys // shim's own
	revoked authenticode.Keys
	level   []authenticode.Component // SBAT generations that shim demands
	shim    bool                     // shim runs: GRUB and systemd-boot ask it
}

// efiSecurityViolation is how shim prints the status: gnu-efi's %r with the number in front.
const efiSecurityViolation = "(0x1A) Security Violation"

// secure returns the machine's keys, nil when Secure Boot is off. Which keys a real machine has is written
// in its flash; the assumption is the two certificates of Microsoft that PCs are sold with, and an empty list
// of revoked programs.
func (s *start) secure() *secureBoot {
	if s.c.SecureBoot && s.keys == nil {
		s.keys = &secureBoot{db: authenticode.Keys{Certificates: authenticode.Microsoft()}}
	}
	return s.keys
}

// names lists certificates by their common names.
func certificateNames(k *authenticode.Keys) string {
	var out []string
	for _, c := range k.Certificates {
		out = append(out, authenticode.Name(c.Subject))
	}
	return strings.Join(out, ", ")
}

// judgement is the answer to "may this program run?".
type judgement struct {
	Signed
	unknown *trace.Reason // why that cannot be told
	cites   []blob.Cite
}

func (j *judgement) ok() bool { return j.By != "" }

// judge compares a program with lists of keys; one good signature is enough. UEFI 2.10, section 32.5.3.3;
// shim: verify_buffer_authenticode.
func (b *secureBoot) judge(path string, img *pe.File, lists ...*authenticode.Keys) judgement {
	j := judgement{Signed: Signed{Path: path, Reason: "unsigned"}}
	if img.CertificateRec != nil {
		j.cites = img.CertificateRec.CiteAll()
	}
	// What follows a broken entry of the table is not looked at.
	signatures, err := authenticode.Read(img)
	if err != nil {
		j.Reason = "unreadable"
	}
	digest, err := authenticode.Hash(img, crypto.SHA256)
	if err != nil {
		j.Reason = "unreadable"
		return j
	}
	if b.revoked.Has(digest) {
		j.Reason = "revoked"
		return j
	}
	for i := range signatures {
		if b.try(&j, img, &signatures[i], lists) {
			return j
		}
	}
	return j
}

// try looks at one signature; it returns true when that settles the matter.
func (b *secureBoot) try(j *judgement, img *pe.File, sig *authenticode.Signature, lists []*authenticode.Keys) bool {
	if sig.Signer == nil {
		j.Reason = "unreadable"
		return false
	}
	j.Signer, j.Issuer = authenticode.Name(sig.Signer.Subject), authenticode.Name(sig.Signer.Issuer)
	j.cites = machine.Cites(img.CertificateRec.CiteAll(), sig.Cites)
	digest, err := authenticode.Hash(img, sig.Algorithm)
	if err != nil {
		j.Reason = "unreadable"
		return true
	}
	for _, list := range lists {
		anchor, err := sig.Check(digest, list.Certificates)
		switch {
		case err == nil:
			j.By, j.Reason = authenticode.Name(anchor.Subject), ""
			j.cites = append(j.cites, list.Cites...)
			return true
		case errors.Is(err, authenticode.ErrDigest):
			j.Reason = "digest"
		case errors.Is(err, authenticode.ErrSignature):
			j.Reason = "signature"
		case errors.Is(err, authenticode.ErrUntrusted):
			j.Reason = "untrusted"
		default:
			j.unknown = trace.Why("unknown.signature", "path", j.Path).For(kernel.Because(err))
			return true
		}
	}
	return false
}

// report shows a judgement as a step of whoever asked, and keeps it for the facts. The kinds are
// uefi.signed, uefi.unsigned, uefi.digest-differs, uefi.untrusted-signer, uefi.signature-broken,
// uefi.signature-unreadable, uefi.revoked.
func (s *start) report(actor string, stage trace.Stage, j *judgement, rule string) int {
	kind := trace.Kind("uefi.signed")
	switch j.Reason {
	case "unsigned":
		kind = "uefi.unsigned"
	case "digest":
		kind = "uefi.digest-differs"
	case "untrusted":
		kind = "uefi.untrusted-signer"
	case "signature":
		kind = "uefi.signature-broken"
	case "unreadable":
		kind = "uefi.signature-unreadable"
	case "revoked":
		kind = "uefi.revoked"
	}
	s.facts.Signed = append(s.facts.Signed, j.Signed)
	return s.m.Emit(trace.Step{Actor: actor, Stage: stage, Kind: kind, Rule: rule, Cites: j.cites,
		Args: map[string]string{"path": j.Path, "signer": j.Signer, "issuer": j.Issuer, "by": j.By}})
}

// firmwareTakes is LoadImage's question to Secure Boot. It returns false when the program is refused or the run
// has ended.
func (s *start) firmwareTakes(path string, img *pe.File) bool {
	b := s.secure()
	if b == nil {
		return true
	}
	j := b.judge(path, img, &b.db)
	if j.unknown != nil {
		s.cannotKnow(trace.Firmware, j.unknown)
		return false
	}
	s.report("firmware", trace.Firmware, &j, "UEFI 2.10 §32.5.3.3; EDK II: DxeImageVerificationHandler")
	return j.ok()
}

// shimTakes is shim's verify: of its second stage, and for GRUB and systemd-boot of whatever they start.
func (s *start) shimTakes(actor, path string, img *pe.File) bool {
	b := s.secure()
	j := b.judge(path, img, &b.db, &b.vendor)
	if j.unknown != nil {
		s.cannotKnow(trace.Bootloader, j.unknown)
		return false
	}
	if j.Reason == "unreadable" {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.shim-signature", "path", path))
		return false
	}
	s.report(actor, trace.Bootloader, &j, "shim: verify_buffer_authenticode; db, vendor_db, MokList")
	return j.ok()
}

// startable is LoadImage called by a boot program: shim's answer counts when shim runs, firmware's own too.
func (s *start) startable(actor, path string, img *pe.File) bool {
	switch b := s.secure(); {
	case b == nil:
		return true
	case b.shim:
		return s.shimTakes(actor, path, img)
	}
	return s.firmwareTakes(path, img)
}
