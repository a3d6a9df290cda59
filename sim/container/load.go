package container

import (
	"archive/tar"
	"errors"
	"io"
	"math"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// LoadConfig is a file that is no container image, given to an engine all the same.
type LoadConfig struct {
	Engine string // as in Config
	Name   string // of the file, as the command line has it
	File   *blob.Blob
}

// loadHead bounds what an engine reads of a file before it knows that this is no archive: the header of the
// first member, or the two blocks of zeros that end an empty archive. POSIX.1-2017, pax, ustar interchange format.
const loadHead = 2 * 512

// Load plays what happens when someone loads a disk image into a container engine. Both engines read tar
// archives with Go's archive/tar, so its verdict on the first block is asked here too.
func Load(m *machine.Machine, c LoadConfig) {
	switch engine, _, _ := strings.Cut(c.Engine, "-"); engine {
	case "", "docker":
		c.docker(m)
	case "podman":
		c.podman(m)
	default:
		c.bundle(m)
	}
}

// docker is `docker load -i FILE`, moby 20.10: image/tarexport/load.go unpacks the archive in a process of
// its own and then looks for manifest.json, or for repositories when there is none.
func (c LoadConfig) docker(m *machine.Machine) {
	c.begin(m, "dockerd", "docker load -i "+c.Name, "moby 20.10 image/tarexport/load.go")
	err := c.firstHeader()
	text := "Error processing tar file(exit status 1): " + errorText(err)
	if errors.Is(err, io.EOF) {
		// An archive that begins with its own end is empty. The number in the name is random.
		text = "open /var/lib/docker/tmp/docker-import-NNNNNNNNN/repositories: no such file or directory"
	}
	c.refused(m, "dockerd", text, 1, "moby 20.10 pkg/chrootarchive/archive_unix.go; archive/tar")
}

// podman is `podman load -i FILE`, containers/common: libimage/load.go tries each format it knows.
func (c LoadConfig) podman(m *machine.Machine) {
	c.begin(m, "podman", "podman load -i "+c.Name, "containers/common libimage/load.go")
	err := c.firstHeader()
	first, second := `creating temp directory: untarring file "/var/tmp/ociNNNNNNNNN": `+errorText(err), "loading tar component manifest.json: "+errorText(err)
	if errors.Is(err, io.EOF) { // an archive, but an empty one
		first, second = "loading index: open /var/tmp/ociNNNNNNNNN/index.json: no such file or directory", "loading tar component manifest.json: file does not exist"
	}
	c.refused(m, "podman", podmanLines(c.Name, first, second), 125, "containers/common libimage/load.go")
}

// bundle: a runtime by itself takes a directory with a config.json, not a file.
func (c LoadConfig) bundle(m *machine.Machine) {
	c.begin(m, c.Engine, c.Engine+" run ID", "runtime-spec bundle.md")
	if c.Engine == "runc" {
		c.refused(m, "runc", "JSON specification file config.json not found", 1, "runc 1.1 utils_linux.go: loadSpec")
		return
	}
	m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Resolve,
		Unknown: trace.Why("unknown.bundle", "engine", c.Engine)})
}

func (c LoadConfig) begin(m *machine.Machine, actor, command, rule string) {
	m.Emit(trace.Step{Actor: actor, Stage: trace.Resolve, Kind: "engine.load-file", Rule: rule,
		Args:  map[string]string{"command": command, "file": c.Name, "engine": actor},
		Cites: c.head()})
}

func (c LoadConfig) refused(m *machine.Machine, actor, text string, code int, rule string) {
	m.Emit(trace.Step{Actor: actor, Stage: trace.Resolve, Kind: "engine.not-an-archive", Rule: rule, Console: text + "\n",
		Args: map[string]string{"file": c.Name, "message": text, "engine": actor}, Cites: c.head()})
	text, _, _ = strings.Cut(text, "\n")
	m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Resolve, Message: text, ExitCode: &code})
}

// loaded tells that the image comes by docker load from an archive that docker save wrote.
func (r *run) loaded() bool {
	return r.engine() == "docker" && r.image.ManifestDigest == ""
}

// loadFailure is what docker load says of the first layer of a docker save archive that it cannot unpack, ""
// when that is not known: of a compressed layer it depends on the program that unpacks it. moby 20.10
// image/tarexport/load.go opens the layer's file and daemon/graphdriver/overlay2 ApplyDiff unpacks it with
// archive/tar, which is asked here.
func (r *run) loadFailure() string {
	if !r.loaded() {
		return ""
	}
	for i := range r.image.Layers {
		l := &r.image.Layers[i]
		if name, ok := l.Missing(); ok { // the number in the path is random
			return "open /var/lib/docker/tmp/docker-import-NNNNNNNNN/" + name + ": no such file or directory"
		}
		c, err := l.Compression()
		if err != nil || c != oci.None {
			return ""
		}
		layer, err := l.Reader()
		if err != nil {
			return ""
		}
		if err := lastError(layer); err != nil {
			return "Error processing tar file(exit status 1): " + errorText(err)
		}
	}
	return ""
}

// unpackStops is why unpacking the layers stops at an entry that cannot be made; "" when it does not. A hard
// link may mean a file of a layer below.
func (r *run) unpackStops() (layer int, why string) {
	for i := range r.image.Layers {
		tree, err := r.image.Layers[i].FS()
		if err != nil {
			return 0, ""
		}
		if why := tree.Stops(); why != "" {
			return i, why
		}
		for e := range tree.Orphans() {
			target := tarfs.Clean(e.Linkname)
			if _, err := fsys.ResolveParent(r.root, target); err != nil || i == 0 {
				return i, "link /" + target + " /" + tarfs.Clean(e.Name) + ": no such file or directory"
			}
		}
	}
	return 0, ""
}

// maxMembers bounds how far archive/tar is followed.
const maxMembers = 1_000_000

// lastError is why archive/tar stops reading, nil at a proper end.
func lastError(r io.ReaderAt) error {
	size := int64(math.MaxInt64)
	if z, ok := r.(blob.Sized); ok {
		size = z.Size()
	}
	t := tar.NewReader(io.NewSectionReader(r, 0, size))
	for range maxMembers {
		switch _, err := t.Next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// head cites the first block, where an archive would have its first header.
func (c LoadConfig) head() []blob.Cite {
	n := min(c.File.Size(), loadHead/2)
	var out []blob.Cite
	for _, s := range blob.Locate(c.File, 0, n) {
		out = append(out, blob.Cite{Span: s, Name: "first block"})
	}
	return out
}

// firstHeader is what archive/tar says about the file's beginning.
func (c LoadConfig) firstHeader() error {
	_, err := tar.NewReader(io.NewSectionReader(c.File, 0, min(c.File.Size(), loadHead))).Next()
	if err == nil { // a header that holds: then the archive is one, but has no image in it
		return io.EOF
	}
	return err
}

// errorText is the error as the engine would print it: ours about a slice's missing bytes is not.
func errorText(err error) string {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, decode.ErrFormat) {
		return tar.ErrHeader.Error()
	}
	return err.Error()
}
