// Package oci reads container images from an archive: what "docker save", "podman save", "skopeo copy"
// and "buildah push" write. These forms are known, the first two also together in one tar:
//
//   - docker-archive: manifest.json names configs, tags and layers (moby image/spec, "Combined Image
//     JSON + Filesystem Changeset Format");
//   - oci-archive: an OCI image layout, index.json and blobs by digest (OCI image specification 1.1,
//     "Image Layout");
//   - dir: a manifest, and beside it everything that it names by digest (containers/image,
//     containers-transports(5)).
//
// The tar is indexed once; manifests and configs are read and checked at once, layers when they are asked
// for. An image is also a [v1.Image] of go-containerregistry.
package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// Names of the two forms, as containers/image calls its transports.
const (
	FormatDocker = "docker-archive"
	FormatOCI    = "oci-archive"
	FormatDir    = "dir"
)

const (
	maxJSON    = 8 << 20 // bytes of one manifest, index or config
	maxImages  = 1000
	maxNesting = 4 // indexes inside indexes
	maxNotes   = 200
)

// Archive is an opened archive.
type Archive struct {
	Format string // FormatDocker when a manifest.json is there, else FormatOCI
	Images []Image
	Notes  []string
	Tar    *tarfs.FS // the archive itself
	// Artifacts are what the archive holds that is no image to run, by the media types of their configs: a
	// Helm chart, a policy. OCI image specification 1.1, "Guidelines for Artifact Usage".
	Artifacts []string

	store  *blob.Store
	input  *blob.Blob
	layers map[int64]*layerData // by the offset of the stored bytes
	byHash map[string]int       // manifest or config digest: index in Images
}

// Open reads the archive in input. A tar that is no container archive, and what is no tar, give an error
// that wraps [decode.ErrFormat].
func Open(store *blob.Store, input *blob.Blob) (*Archive, error) {
	tree, err := index(input)
	if err != nil {
		return nil, err
	}
	a := &Archive{Tar: tree, store: store, input: input, layers: map[int64]*layerData{}, byHash: map[string]int{}}
	hasIndex, hasManifest := a.has("index.json"), a.has("manifest.json")
	switch {
	case hasManifest && !hasIndex && a.isDir():
		a.Format, hasManifest = FormatDir, false
	case hasManifest:
		a.Format = FormatDocker
	case hasIndex:
		a.Format = FormatOCI
	case a.has("repositories"):
		return nil, fmt.Errorf("%s: docker save archive of before 2016 (Docker 1.10), without manifest.json: %w", input.Name(), decode.ErrUnsupported)
	default:
		return nil, fmt.Errorf("%s: tar without manifest.json and index.json: %w", input.Name(), decode.ErrFormat)
	}
	var errs []error
	if hasIndex {
		errs = append(errs, a.readLayout()...)
	}
	if hasManifest {
		errs = append(errs, a.readDocker()...)
	}
	if a.Format == FormatDir {
		errs = append(errs, a.readDir()...)
	}
	if len(a.Images) == 0 && (len(a.Artifacts) == 0 || len(errs) > 0) {
		if len(errs) == 0 {
			return nil, fmt.Errorf("%s: %s without an image: %w", input.Name(), a.Format, decode.ErrUnsupported)
		}
		return nil, fmt.Errorf("%s: %w", input.Name(), errs[0])
	}
	for _, err := range errs {
		a.note("%v", err)
	}
	return a, nil
}

// rootNames are directories of a root file system; three of them before anything of a container archive
// settle what the tar is without reading the rest.
var rootNames = [...]string{"bin", "etc", "usr", "lib", "sbin", "var", "dev", "proc", "root", "tmp"}

func index(input *blob.Blob) (*tarfs.FS, error) {
	tree := tarfs.New(input)
	var seen []string
	var full error
	err := tarfs.Scan(input, func(e *tarfs.Entry) bool {
		top, _, _ := strings.Cut(tarfs.Clean(e.Name), "/")
		if slices.Contains(rootNames[:], top) && !slices.Contains(seen, top) {
			seen = append(seen, top)
		}
		full = tree.Add(e)
		return full == nil && len(seen) < 3
	})
	switch {
	case err != nil:
		return nil, err
	case full != nil:
		return nil, full
	case len(seen) >= 3:
		return nil, fmt.Errorf("%s: tar of a root file system: %w", input.Name(), decode.ErrFormat)
	}
	return tree, nil
}

func (a *Archive) note(format string, args ...any) {
	if len(a.Notes) < maxNotes {
		a.Notes = append(a.Notes, fmt.Sprintf(format, args...))
	}
}

// has tells whether the tar has a file of that name at its root.
func (a *Archive) has(name string) bool {
	fi, err := a.Tar.Stat(name)
	return err == nil && fi.Mode().IsRegular()
}

// member is a file of the archive, stored in one piece.
type member struct {
	name      string
	off, size int64
}

// find returns the member called name; symbolic links inside the archive are followed, because skopeo
// and old versions of docker save store a layer once and link to it.
func (a *Archive) find(name string) (member, error) {
	at, err := fsys.Resolve(a.Tar, name)
	if err != nil {
		return member{}, &missingError{name}
	}
	e, err := a.Tar.EntryOf(at)
	if err != nil || e == nil || e.Type != tarfs.TypeReg {
		return member{}, &missingError{name}
	}
	if !e.Contiguous() {
		return member{}, fmt.Errorf("%s: stored as a sparse file: %w", name, decode.ErrUnsupported)
	}
	return member{at, e.DataOff, e.Size}, nil
}

// missingError says that the archive lacks a member.
type missingError struct{ name string }

func (e *missingError) Error() string { return e.name + ": not in the archive" }
func (e *missingError) Is(target error) bool {
	return target == fs.ErrNotExist
}

func (a *Archive) section(m member) *blob.SectionReader { return blob.Section(a.input, m.off, m.size) }

// document reads a JSON member.
func (a *Archive) document(m member) (*document, error) {
	r := a.section(m)
	data, err := blob.ReadAll(r, maxJSON)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	return newDocument(m.name, r, data)
}

// blobMember finds the member that a descriptor means.
func (a *Archive) blobMember(h v1.Hash) (member, error) {
	if a.Format == FormatDir {
		if m, err := a.find(h.Hex); err == nil {
			return m, nil
		}
		return a.find(h.Hex + ".manifest.json")
	}
	return a.find(path.Join("blobs", h.Algorithm, h.Hex))
}

// fetch reads the JSON that a descriptor means. refused is what an engine answers when the bytes are not
// those that the digest promises.
func (a *Archive) fetch(h v1.Hash, size int64) (doc *document, refused string, err error) {
	m, err := a.blobMember(h)
	if err != nil {
		return nil, "", err
	}
	if doc, err = a.document(m); err != nil {
		return nil, "", err
	}
	got, err := doc.digest(h.Algorithm)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", m.name, err)
	}
	switch {
	case got != h:
		refused = refusal(h, got)
		a.note("%s: the content has digest %s; an engine refuses it: %s", m.name, got, refused)
	case size >= 0 && size != m.size:
		refused = fmt.Sprintf("unexpected commit size %d, expected %d: failed precondition", m.size, size)
		a.note("%s: %d bytes, the descriptor says %d; containerd refuses it: %s", m.name, m.size, size, refused)
	}
	return doc, refused, nil
}

// refusal is containerd's answer to content that is not what its digest says (content/local/writer.go,
// Commit).
func refusal(want, got v1.Hash) string {
	return fmt.Sprintf("unexpected commit digest %s, expected %s: failed precondition", got, want)
}

// Annotations that name images; OCI image specification, "Annotations", and containerd's images package.
const (
	refNameKey   = "org.opencontainers.image.ref.name"
	imageNameKey = "io.containerd.image.name"
	// refTypeKey marks what BuildKit attaches to an image (docs.docker.com, "Image attestation storage").
	refTypeKey = "vnd.docker.reference.type"
)

// readLayout reads an OCI image layout.
func (a *Archive) readLayout() []error {
	if !a.has("oci-layout") {
		a.note("index.json without oci-layout: the image layout is incomplete")
	}
	m, err := a.find("index.json")
	if err != nil {
		return []error{err}
	}
	doc, err := a.document(m)
	if err != nil {
		return []error{err}
	}
	return a.readIndex(doc, nil, 0)
}

func (a *Archive) readIndex(doc *document, ref []string, depth int) []error {
	idx, err := v1.ParseIndexManifest(doc.reader())
	if err != nil {
		return []error{doc.errorf("an image index", err)}
	}
	if depth > maxNesting {
		return []error{fmt.Errorf("%s: indexes nested deeper than %d: %w", doc.name, maxNesting, decode.ErrUnsupported)}
	}
	var errs []error
	for _, d := range idx.Manifests {
		if len(a.Images) >= maxImages {
			return append(errs, fmt.Errorf("%s: more than %d images: %w", doc.name, maxImages, blob.ErrTooLarge))
		}
		refs := ref
		if name := refOf(d.Annotations); name != "" {
			refs = []string{name}
		}
		errs = append(errs, a.readDescriptor(d, refs, depth)...)
	}
	return errs
}

func refOf(annotations map[string]string) string {
	if name := annotations[imageNameKey]; name != "" {
		return name
	}
	return annotations[refNameKey]
}

// readDescriptor reads what one entry of an index means.
func (a *Archive) readDescriptor(d v1.Descriptor, refs []string, depth int) []error {
	if i, known := a.byHash[d.Digest.String()]; known {
		a.Images[i].addRefs(refs...)
		return nil
	}
	if kind := d.Annotations[refTypeKey]; kind != "" || (d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown") {
		a.note("%s is no image for a platform but %s; set aside", d.Digest, orWord(kind, "an attestation"))
		return nil
	}
	doc, refused, err := a.fetch(d.Digest, d.Size)
	var missing *missingError
	if errors.As(err, &missing) {
		what := "a manifest"
		if d.Platform != nil {
			what = "the manifest for " + platformString(*d.Platform)
		}
		return []error{fmt.Errorf("the index names %s, %w", what, err)}
	}
	if err != nil {
		return []error{err}
	}
	return a.readManifest(d, doc, refused, refs, depth)
}

// readManifest reads the manifest or index that a descriptor means; refused is an engine's answer to it.
func (a *Archive) readManifest(d v1.Descriptor, doc *document, refused string, refs []string, depth int) []error {
	// The descriptor's type counts; index.json of old tools has none, then the content tells.
	isIndex := d.MediaType.IsIndex() || (!d.MediaType.IsImage() && doc.has("manifests"))
	if isIndex {
		return a.readIndex(doc, refs, depth+1)
	}
	im, err := a.ociImage(d, doc)
	if err != nil || im == nil {
		return asErrors(err)
	}
	im.Refused = orWord(refused, im.Refused)
	im.addRefs(refs...)
	a.byHash[d.Digest.String()] = len(a.Images)
	a.Images = append(a.Images, *im)
	return nil
}

// isDir tells the form of containers/image directory/directory_dest.go: a file "version" says so.
func (a *Archive) isDir() bool {
	m, err := a.find("version")
	if err != nil {
		return false
	}
	head := make([]byte, len(dirVersion))
	n, _ := a.section(m).ReadAt(head, 0)
	return string(head[:n]) == dirVersion
}

const dirVersion = "Directory Transport Version: "

// readDir reads the manifest of a "dir".
func (a *Archive) readDir() []error {
	m, err := a.find("manifest.json")
	if err != nil {
		return []error{err}
	}
	doc, err := a.document(m)
	if err != nil {
		return []error{err}
	}
	digest, err := doc.digest("sha256")
	if err != nil {
		return []error{err}
	}
	var head struct{ MediaType types.MediaType }
	if err := json.Unmarshal(doc.data, &head); err != nil {
		return []error{doc.errorf("an image manifest", err)}
	}
	return a.readManifest(v1.Descriptor{MediaType: head.MediaType, Size: m.size, Digest: digest}, doc, "", nil, 0)
}

func asErrors(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

func orWord(word, or string) string {
	if word != "" {
		return word
	}
	return or
}

// dockerManifest is one element of manifest.json (moby image/tarexport, manifestItem).
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// readDocker reads manifest.json. Where the archive is an image layout too (docker save of Docker 25 and
// later), the images are known by then and only get their tags.
func (a *Archive) readDocker() []error {
	m, err := a.find("manifest.json")
	if err != nil {
		return []error{err}
	}
	doc, err := a.document(m)
	if err != nil {
		return []error{err}
	}
	var items []dockerManifest
	if err := json.Unmarshal(doc.data, &items); err != nil {
		return []error{doc.errorf("a list of images", err)}
	}
	if len(items) > maxImages {
		return []error{fmt.Errorf("manifest.json: %d images, at most %d: %w", len(items), maxImages, blob.ErrTooLarge)}
	}
	var errs []error
	for i, item := range items {
		im, err := a.dockerImage(doc, i, item)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if known := a.byConfig(im.ConfigDigest); known != nil {
			known.addRefs(item.RepoTags...)
			continue
		}
		im.addRefs(item.RepoTags...)
		a.Images = append(a.Images, *im)
	}
	return errs
}

func (a *Archive) byConfig(digest string) *Image {
	for i := range a.Images {
		if a.Images[i].ConfigDigest == digest {
			return &a.Images[i]
		}
	}
	return nil
}
