package oci

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"bootpath/sim/blob"
	"bootpath/sim/fsys/union"
)

// Image is one image for one platform.
type Image struct {
	Refs           []string // the names it goes by in the archive, maybe none
	Platform       string   // os/arch or os/arch/variant
	FromIndex      bool     // chosen from an index, where the platform decides
	ManifestDigest string   // "" in a docker-archive, which has no manifest
	ConfigDigest   string   // of the config as it is stored: docker's image ID
	Config         *v1.ConfigFile
	Layers         []Layer // lowest first
	Refused        string  // what an engine says when it would not load the image; "" when it would

	archive  *Archive
	platform v1.Platform
	config   *document
	manifest *document // the OCI manifest, or manifest.json
	prefix   string    // of the image's keys in it
	v1       v1.Image
	root     *union.FS
	stack    *Stack
}

// V1 is the image in go-containerregistry's form.
func (im *Image) V1() v1.Image { return im.v1 }

// ConfigRaw is the config as stored.
func (im *Image) ConfigRaw() []byte { return slices.Clone(im.config.data) }

// ConfigSpan is where the config lies.
func (im *Image) ConfigSpan() []blob.Span {
	return blob.Locate(im.config.r, 0, int64(len(im.config.data)))
}

// Cite is the evidence for values of the config: keys like "config.Entrypoint", "config.Env[0]",
// "rootfs.diff_ids[1]". A key that the config does not have gives none.
func (im *Image) Cite(keys ...string) []blob.Cite { return im.config.cite(keys...) }

// CiteManifest is the evidence for values of the manifest ("layers[0].digest"), or in a docker-archive of
// the image's element of manifest.json ("Layers[0]", "RepoTags").
func (im *Image) CiteManifest(keys ...string) []blob.Cite {
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = im.prefix + key
	}
	return im.manifest.cite(full...)
}

func (im *Image) addRefs(refs ...string) {
	for _, r := range refs {
		if r != "" && !slices.ContainsFunc(im.Refs, func(have string) bool { return familiar(have) == familiar(r) }) {
			im.Refs = append(im.Refs, r)
		}
	}
}

// emptyConfig is the type of the config of an artifact that has none, which artifactType then names. OCI image
// specification 1.1, "Guidance for an Empty Descriptor".
const emptyConfig = "application/vnd.oci.empty.v1+json"

// Annotation is an annotation of the OCI manifest.
func (im *Image) Annotation(key string) (string, bool) {
	var m struct{ Annotations map[string]string }
	if im.ManifestDigest == "" || json.Unmarshal(im.manifest.data, &m) != nil {
		return "", false
	}
	v, ok := m.Annotations[key]
	return v, ok
}

// ociImage makes the image of a manifest; nil when the manifest is of something else.
func (a *Archive) ociImage(d v1.Descriptor, doc *document) (*Image, error) {
	im := &Image{archive: a, manifest: doc, ManifestDigest: d.Digest.String(), FromIndex: d.Platform != nil}
	core := &compressed{im: im, media: d.MediaType}
	img, err := partial.CompressedToImage(core)
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, doc.errorf("an image manifest", err)
	}
	if m.Config.MediaType != "" && !m.Config.MediaType.IsConfig() {
		what := string(m.Config.MediaType)
		if artifact := doc.text("artifactType"); artifact != "" && what == emptyConfig {
			what = artifact
		}
		a.note("%s is no container image: its config is of type %s; set aside", d.Digest, what)
		a.Artifacts = append(a.Artifacts, what)
		return nil, nil
	}
	if core.media == "" {
		core.media = m.MediaType
	}
	conf, refused, err := a.fetch(m.Config.Digest, m.Config.Size)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	im.v1, im.config, im.Refused, im.ConfigDigest = img, conf, refused, m.Config.Digest.String()
	if err := im.readConfig(d.Platform); err != nil {
		return nil, err
	}
	for i, l := range m.Layers {
		layer := Layer{image: im, Digest: l.Digest.String(), Size: l.Size, MediaType: string(l.MediaType)}
		layer.member, layer.err = a.blobMember(l.Digest)
		im.addLayer(i, layer)
	}
	im.checkLayers(len(m.Layers))
	return im, nil
}

// dockerImage makes the image of one element of manifest.json.
func (a *Archive) dockerImage(doc *document, i int, item dockerManifest) (*Image, error) {
	m, err := a.find(item.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	conf, err := a.document(m)
	if err != nil {
		return nil, err
	}
	im := &Image{archive: a, manifest: doc, prefix: fmt.Sprintf("[%d].", i), config: conf}
	if im.v1, err = partial.UncompressedToImage(&uncompressed{im}); err != nil {
		return nil, err
	}
	name, err := im.v1.ConfigName()
	if err != nil {
		return nil, err
	}
	im.ConfigDigest = name.String()
	if promised := hexName(item.Config); promised != "" && promised != name.Hex {
		a.note("%s: the config has digest %s; docker load does not compare and gives the image that ID", item.Config, name)
	}
	if err := im.readConfig(nil); err != nil {
		return nil, err
	}
	for i, p := range item.Layers {
		layer := Layer{image: im}
		if layer.member, layer.err = a.find(p); layer.err == nil {
			layer.Size = layer.member.size
		}
		im.addLayer(i, layer)
		l := &im.Layers[i]
		switch c, _ := l.Compression(); {
		case c == None && l.err == nil:
			l.MediaType, l.Digest = string(types.DockerUncompressedLayer), l.DiffID
		case l.err == nil:
			l.MediaType = string(types.DockerLayer)
			if h := hexName(p); h != "" && "sha256:"+h != l.DiffID { // skopeo names a layer by what it unpacks to
				l.Digest = "sha256:" + h
			}
		}
	}
	im.checkLayers(len(item.Layers))
	return im, nil
}

// hexName is the digest that a member's name promises, "" when it promises none.
func hexName(name string) string {
	base, _, _ := strings.Cut(path.Base(name), ".")
	if b, err := hex.DecodeString(base); err != nil || len(b) != 32 {
		return ""
	}
	return base
}

// readConfig parses the config. The platform of an index's descriptor counts before the config's, as
// containerd chooses by it.
func (im *Image) readConfig(p *v1.Platform) error {
	c, err := v1.ParseConfigFile(im.config.reader())
	if err != nil {
		return im.config.errorf("an image config", err)
	}
	im.Config = c
	if p == nil || p.OS == "" || p.Architecture == "" {
		p = &v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	}
	im.platform = *p
	im.Platform = platformString(*p)
	return nil
}

func (im *Image) addLayer(i int, l Layer) {
	if i < len(im.Config.RootFS.DiffIDs) {
		l.DiffID = im.Config.RootFS.DiffIDs[i].String()
	}
	n := 0
	for _, h := range im.Config.History {
		if h.EmptyLayer {
			continue
		}
		if n == i {
			l.CreatedBy = h.CreatedBy
			break
		}
		n++
	}
	im.Layers = append(im.Layers, l)
}

// checkLayers compares the number of layers with the config's (moby image/tarexport/load.go, Load).
func (im *Image) checkLayers(n int) {
	if want := len(im.Config.RootFS.DiffIDs); want != n {
		im.Refused = fmt.Sprintf("invalid manifest, layers length mismatch: expected %d, got %d", n, want)
		im.archive.note("%s: %d layers, the config has %d diff_ids; docker load answers: %s", im.ConfigDigest, n, want, im.Refused)
	}
}

// RootFS is the merged file system that a container of the image sees. Layers are unpacked once, when
// they are first needed.
func (im *Image) RootFS() (*union.FS, error) {
	if im.root != nil {
		return im.root, nil
	}
	// In the order of the archive, so that a compressed archive is unpacked once.
	order := make([]int, len(im.Layers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(im.Layers[a].member.off - im.Layers[b].member.off) })
	layers := make([]union.Layer, len(im.Layers))
	for _, i := range order {
		tree, err := im.Layers[i].FS()
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		layers[i] = union.Layer{Name: im.Layers[i].Name(), FS: tree}
	}
	root, err := union.New(layers...)
	if err != nil {
		return nil, err
	}
	im.root = root
	return root, nil
}
