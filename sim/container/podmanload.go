package container

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// What podman 4.3 says when it cannot load an image. It tries each form of an archive in turn and shows all
// answers; the one of the archive's own form decides. containers/common libimage/load.go, containers/image.
// Recorded: tests/truth/container/broken.

// podmanRefusal is why podman does not load the image; "" when it does. Unlike docker it does not compare what
// a layer unpacks to with the config.
func (r *run) podmanRefusal() (text string, cites []blob.Cite) {
	im := r.image
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(im.ConfigRaw())); im.ManifestDigest != "" && got != im.ConfigDigest {
		return fmt.Sprintf("parsing image configuration: Download config.json digest %s does not match expected %s", got, im.ConfigDigest), im.CiteManifest("config.digest")
	}
	d, ok := im.Damage()
	if !ok {
		return r.unowned(), nil
	}
	l := &im.Layers[d.Layer]
	cites = im.CiteManifest(fmt.Sprintf("layers[%d].digest", d.Layer), fmt.Sprintf("Layers[%d]", d.Layer))
	layout := im.ManifestDigest != ""
	storing := "writing blob: storing blob to file \"/var/tmp/storageNNNNNNNNN/1\": "
	switch compression, _ := l.Compression(); {
	case d.Missing != "" && layout:
		return fmt.Sprintf("reading blob %s: open /var/tmp/ociNNNNNNNNN/%s: no such file or directory", l.Digest, d.Missing), cites
	case d.Missing != "":
		return r.sizing("Some layer tarfiles are missing in the tarball"), cites
	case d.Stream != "" && !layout: // what a layer of such an archive unpacks to is what counts, and is read first
		return r.sizing("reading " + l.Member() + " to find its size: " + d.Stream), cites
	case d.Stream != "" && (!d.Cut || d.Digest == ""):
		return storing + d.Stream, cites
	case d.Digest != "" && (layout || compression == oci.None):
		return fmt.Sprintf("%shappened during read: Digest did not match, expected %s, got %s", storing, l.Digest, d.Digest), cites
	case d.Tar != "":
		return fmt.Sprintf("writing blob: adding layer with blob %q: processing tar file(%s): exit status 1", l.Digest, d.Tar), cites
	}
	return r.unowned(), nil
}

// sizing is an error of the first look at a docker archive.
func (r *run) sizing(why string) string {
	ref := ""
	if len(r.image.Refs) > 0 {
		ref = r.image.Refs[0]
	}
	return fmt.Sprintf("determining manifest MIME type for docker-archive:%s:%s: %s", r.c.Name, oci.Normalized(ref), why)
}

// podmanNoPlatform is an index without the host's platform.
func (r *run) podmanNoPlatform(none *oci.NoMatchError) string {
	p := strings.SplitN(none.Platform+"//", "/", 4)
	return fmt.Sprintf("choosing an image from manifest list oci-archive:%s:: no image found in image index for architecture %s, variant %q, OS %s", r.c.Name, p[1], p[2], p[0])
}

// podmanTries are the lines of podman load for an archive of that name: cause belongs to its own form.
func podmanTries(name string, isOCI bool, cause string) (all, deciding string) {
	first, second := cause, "loading tar component manifest.json: file does not exist"
	deciding = "oci-archive: " + cause
	if !isOCI {
		first, second = "loading index: open /var/tmp/ociNNNNNNNNN/index.json: no such file or directory", cause
		deciding = "docker-archive: " + cause
	}
	return podmanLines(name, first, second), deciding
}

func podmanLines(name, ociArchive, dockerArchive string) string {
	return strings.Join([]string{
		"Error: payload does not match any of the supported image formats:",
		fmt.Sprintf(" * oci: initializing source oci:%s:: open %s/index.json: not a directory", name, name),
		" * oci-archive: " + ociArchive,
		" * docker-archive: " + dockerArchive,
		fmt.Sprintf(" * dir: open %s/manifest.json: not a directory", name),
	}, "\n")
}

// refuseLoad ends the run where podman load does.
func (r *run) refuseLoad(isOCI bool, cause string, cites []blob.Cite) bool {
	all, deciding := podmanTries(r.c.Name, isOCI, cause)
	code := 125
	r.emit(trace.Step{Actor: "podman", Stage: trace.Resolve, Kind: "engine.refused", Console: all + "\n", Cites: cites, Rule: "containers/common libimage/load.go; containers/image",
		Args: map[string]string{"message": deciding, "cause": cause, "exit_code": "125"}})
	r.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Resolve, Message: deciding, ExitCode: &code})
	return false
}

// refuseLayer ends the run where layer i cannot be unpacked. An image that docker pulled has the same words
// behind "failed to register layer"; of a runtime alone nobody knows who unpacked it.
func (r *run) refuseLayer(i int, why string) bool {
	l := &r.image.Layers[i]
	cites := r.image.CiteManifest(fmt.Sprintf("layers[%d].digest", i), fmt.Sprintf("Layers[%d]", i))
	switch {
	case r.engine() == "podman":
		if strings.HasPrefix(why, "link ") { // which tells the error alone
			_, why, _ = strings.Cut(why, ": ")
		}
		return r.refuseLoad(r.image.ManifestDigest != "", fmt.Sprintf("writing blob: adding layer with blob %q: processing tar file(%s): exit status 1", l.Digest, why), cites)
	case r.loaded():
		return r.refuse(&failure{text: "Error processing tar file(exit status 1): " + why, cites: cites, early: true, load: true}, trace.Resolve)
	}
	r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Resolve, Unknown: trace.Why("unknown.layer-unpacked", "layer", strconv.Itoa(i+1), "error", why)})
	return false
}

// podmanLoads tells whether podman takes the image; if not, the run has ended.
func (r *run) podmanLoads() bool {
	if cause, cites := r.podmanRefusal(); cause != "" {
		return r.refuseLoad(r.image.ManifestDigest != "", cause, cites)
	}
	return true
}

// noPlatform is an archive without an image of the platform, under podman.
func (r *run) noPlatform(err error) (string, bool) {
	var none *oci.NoMatchError
	if r.engine() != "podman" || !errors.As(err, &none) || none.Platform == "" {
		return "", false
	}
	return r.podmanNoPlatform(none), true
}
