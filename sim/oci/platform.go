package oci

import (
	"fmt"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// NoMatchError is the answer of an engine that finds no image to run; its text is the engine's own.
type NoMatchError struct {
	Platform string // set when the platform is the reason
	Ref      string // set when the name is
	Message  string
}

func (e *NoMatchError) Error() string { return e.Message }

// Select picks the image that an engine would run for a platform ("linux/arm64", "linux/arm/v7"; "" is
// the archive's first) and a name ("" is any). Platforms fit as containerd's platforms.Only says: an amd64
// host runs 386, an arm64 host runs 32-bit arm, newer variants run older ones; the nearest is taken.
//
// The platform decides only between the images of an index. An image that is alone under its name is
// returned whatever it is for, because engines run it too: compare with [MatchPlatform].
func (a *Archive) Select(platform, ref string) (*Image, error) {
	var named []*Image
	for i := range a.Images {
		if im := &a.Images[i]; ref == "" || im.named(ref) {
			named = append(named, im)
		}
	}
	if len(named) == 0 {
		// docker CLI, "docker run" without a registry to ask
		return nil, &NoMatchError{Ref: ref, Message: fmt.Sprintf("No such image: %s", familiarTagged(ref))}
	}
	if ref == "" { // the images of the first name
		first := named[0]
		named = named[:0]
		for i := range a.Images {
			if im := &a.Images[i]; sameRefs(im, first) {
				named = append(named, im)
			}
		}
	}
	if platform == "" || (len(named) == 1 && !named[0].FromIndex) {
		return named[0], nil
	}
	for _, p := range preference(ParsePlatform(platform)) {
		for _, im := range named {
			if normalize(im.platform) == p {
				return im, nil
			}
		}
	}
	// moby distribution/pull_v2.go, noMatchesErr
	shown := platformString(ParsePlatform(platform))
	return nil, &NoMatchError{Platform: shown, Message: fmt.Sprintf("no matching manifest for %s in the manifest list entries", shown)}
}

func sameRefs(a, b *Image) bool {
	if len(a.Refs) != len(b.Refs) {
		return false
	}
	for i := range a.Refs {
		if a.Refs[i] != b.Refs[i] {
			return false
		}
	}
	return a == b || (a.FromIndex && b.FromIndex)
}

// MatchPlatform tells whether a host of the first platform runs images of the second.
func MatchPlatform(host, image string) bool {
	want := normalize(ParsePlatform(image))
	for _, p := range preference(ParsePlatform(host)) {
		if p == want {
			return true
		}
	}
	return false
}

// key is what a platform is compared by.
type key struct{ os, arch, variant string }

// ParsePlatform reads "os/arch" or "os/arch/variant"; other spellings of an architecture are turned into
// GOARCH's (containerd platforms, Parse and normalizeArch).
func ParsePlatform(s string) v1.Platform {
	parts := strings.SplitN(strings.ToLower(s), "/", 3)
	p := v1.Platform{OS: parts[0]}
	if len(parts) == 1 {
		if _, known := archNames(parts[0]); known {
			p = v1.Platform{OS: "linux", Architecture: parts[0]}
		}
	}
	if len(parts) > 1 {
		p.Architecture = parts[1]
	}
	if len(parts) > 2 {
		p.Variant = parts[2]
	}
	if p.OS == "macos" {
		p.OS = "darwin"
	}
	k := normalize(p)
	p.OS, p.Architecture = k.os, k.arch
	switch {
	case len(parts) < 3:
		p.Variant = k.variant
		if k.arch == "arm" && k.variant == "v7" {
			p.Variant = ""
		}
	case k.arch == "arm64" && k.variant == "":
		p.Variant = "v8"
	default:
		p.Variant = k.variant
	}
	return p
}

// archNames turns a spelling into GOARCH's and tells whether it is an architecture at all.
func archNames(s string) (key, bool) {
	switch s {
	case "386", "i386":
		return key{arch: "386"}, true
	case "x86_64", "x86-64", "amd64":
		return key{arch: "amd64"}, true
	case "aarch64", "arm64":
		return key{arch: "arm64"}, true
	case "armhf":
		return key{arch: "arm", variant: "v7"}, true
	case "armel":
		return key{arch: "arm", variant: "v6"}, true
	case "arm", "ppc64", "ppc64le", "riscv64", "s390x", "mips", "mipsle", "mips64", "mips64le", "loong64", "wasm":
		return key{arch: s}, true
	}
	return key{arch: s}, false
}

// normalize is containerd's normalizeArch: the variant that an architecture has anyway is dropped, arm
// without one is v7.
func normalize(p v1.Platform) key {
	k, _ := archNames(p.Architecture)
	k.os = p.OS
	if p.Variant != "" && k.variant == "" {
		k.variant = p.Variant
	}
	switch k.arch {
	case "386":
		k.variant = ""
	case "amd64":
		if k.variant == "v1" {
			k.variant = ""
		}
	case "arm64":
		if k.variant == "8" || k.variant == "v8" || k.variant == "v8.0" {
			k.variant = ""
		}
	case "arm":
		switch k.variant {
		case "", "7":
			k.variant = "v7"
		case "5", "6", "8":
			k.variant = "v" + k.variant
		}
	}
	return k
}

// preference lists the platforms that a host runs, the best first (containerd platforms, platformVector).
func preference(p v1.Platform) []key {
	k := normalize(p)
	out := []key{k}
	n, err := strconv.Atoi(strings.TrimPrefix(k.variant, "v"))
	switch {
	case k.arch == "amd64":
		for n--; err == nil && n >= 1; n-- {
			out = append(out, normalize(v1.Platform{OS: k.os, Architecture: "amd64", Variant: fmt.Sprintf("v%d", n)}))
		}
		out = append(out, key{k.os, "386", ""})
	case k.arch == "arm":
		for n--; err == nil && n >= 5; n-- {
			out = append(out, key{k.os, "arm", fmt.Sprintf("v%d", n)})
		}
	case k.arch == "arm64":
		if k.variant != "" { // v8.1, v9 …
			out = append(out, key{k.os, "arm64", ""})
		}
		out = append(out, preference(v1.Platform{OS: k.os, Architecture: "arm", Variant: "v8"})...)
	}
	return out
}

func platformString(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// named tells whether the image goes by ref, tag "latest" understood, registry and "library/" of Docker Hub
// left out or not.
func (im *Image) named(ref string) bool {
	for _, r := range im.Refs {
		if r == ref || familiarTagged(r) == familiarTagged(ref) {
			return true
		}
	}
	id := strings.TrimPrefix(im.ConfigDigest, "sha256:")
	want := strings.TrimPrefix(ref, "sha256:")
	return len(want) >= 12 && strings.HasPrefix(id, want) || ref == im.ManifestDigest
}

// familiar is a name without Docker Hub's defaults (distribution/reference, FamiliarName).
func familiar(ref string) string {
	for _, hub := range []string{"docker.io/", "index.docker.io/"} {
		if rest, ok := strings.CutPrefix(ref, hub); ok {
			return strings.TrimPrefix(rest, "library/")
		}
	}
	return ref
}

// Normalized is the reference in full: "docker.io/library/alpine:3" for "alpine:3". distribution/reference
// normalize.go.
func Normalized(ref string) string {
	domain, _, ok := strings.Cut(ref, "/")
	switch {
	case !ok:
		return "docker.io/library/" + ref
	case !strings.ContainsAny(domain, ".:") && domain != "localhost":
		return "docker.io/" + ref
	}
	return ref
}

func familiarTagged(ref string) string {
	f := familiar(ref)
	if base := f[strings.LastIndexByte(f, '/')+1:]; !strings.ContainsAny(base, ":@") {
		f += ":latest"
	}
	return f
}
