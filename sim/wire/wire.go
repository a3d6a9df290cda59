// Package wire is what crosses from the engine to a page or a terminal: plain structs, JSON by their
// tags. It is the stable contract that docs/json.md describes, and the source of the generated
// TypeScript types; names avoid TypeScript's globals.
package wire

import (
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/compare"
	"bootpath/sim/exercise"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Inspection answers "what is this file?".
type Inspection struct {
	Name           string          `json:"name"`
	Kind           string          `json:"kind"`    // application | system | rootfs | other
	Formats        []string        `json:"formats"` // outermost first
	Size           int64           `json:"size"`    // of the file, bytes
	VirtualSize    int64           `json:"virtual_size"`
	PartitionTable *PartitionTable `json:"partition_table,omitempty"`
	Filesystems    []Filesystem    `json:"filesystems"`
	ElTorito       []BootEntry     `json:"el_torito"`
	Bootloaders    []Bootloader    `json:"bootloaders"`
	Kernels        []KernelImage   `json:"kernels"`
	Initrds        []Initrd        `json:"initrds"`
	Init           *InitProgram    `json:"init,omitempty"`
	OS             *OSRelease      `json:"os,omitempty"`
	Images         []AppImage      `json:"images"`
	KernelFrom     string          `json:"kernel_from"`     // inside | host | platform | none
	KernelCites    []blob.Cite     `json:"kernel_evidence"` // the bytes that say so
	KernelSearched []string        `json:"kernel_searched"` // where a kernel was looked for, when none is inside
	Notes          []string        `json:"notes"`
	BytesRead      int64           `json:"bytes_read"`
	Origin         *blob.Origin    `json:"origin,omitempty"` // for a slice: what it was cut from
}

// PartitionTable is in 512-byte sectors.
type PartitionTable struct {
	Type       string      `json:"type"` // gpt | dos
	ID         string      `json:"id"`
	Partitions []Partition `json:"partitions"`
}

// Partition is one row of the table.
type Partition struct {
	Number   int         `json:"number"`
	Start    int64       `json:"start"`
	Size     int64       `json:"size"`
	Type     string      `json:"type"`
	UUID     string      `json:"uuid"`
	Name     string      `json:"name"`
	Bootable bool        `json:"bootable"`
	Cites    []blob.Cite `json:"evidence,omitempty"`
}

// Filesystem is one volume; partition 0 is the whole disk.
type Filesystem struct {
	Partition int         `json:"partition"`
	Name      string      `json:"name,omitempty"` // of a logical volume: "vg/lv"
	Type      string      `json:"type"`
	Label     string      `json:"label"`
	UUID      string      `json:"uuid"`
	Notes     []string    `json:"notes,omitempty"`
	Cites     []blob.Cite `json:"evidence,omitempty"`
}

// BootEntry is an El Torito entry.
type BootEntry struct {
	Platform  string `json:"platform"`
	Emulation string `json:"emulation"`
	Path      string `json:"path"` // of the file that starts at the entry's block, "" when none does
}

// Bootloader is code that firmware would start.
type Bootloader struct {
	Firmware string `json:"firmware"` // bios | uefi
	Name     string `json:"name"`
	Path     string `json:"path"` // "" for boot sectors
}

// KernelImage is a Linux kernel found as a file.
type KernelImage struct {
	Path    string      `json:"path"`
	Version string      `json:"version"`
	Arch    string      `json:"arch"`             // as GOARCH
	Format  string      `json:"format,omitempty"` // bzImage | Image | zboot | vmlinux
	Size    int64       `json:"size"`
	Cites   []blob.Cite `json:"evidence,omitempty"`
}

// Initrd is an initramfs found as a file.
type Initrd struct {
	Path        string `json:"path"`
	Compression string `json:"compression"`
	Entries     int    `json:"entries"`
}

// InitProgram is what /sbin/init leads to.
type InitProgram struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // systemd | sysvinit | openrc | busybox | runit | s6 | dinit | other
}

// OSRelease is os-release(5).
type OSRelease struct {
	ID         string `json:"id"`
	VersionID  string `json:"version_id"`
	PrettyName string `json:"pretty_name"`
}

// AppImage is one image of an archive.
type AppImage struct {
	Ref            string   `json:"ref"`
	Platform       string   `json:"platform"`
	ManifestDigest string   `json:"manifest_digest"`
	ConfigDigest   string   `json:"config_digest"`
	Layers         []Layer  `json:"layers"`
	Entrypoint     []string `json:"entrypoint"`
	Cmd            []string `json:"cmd"`
	Env            []string `json:"env"`
	User           string   `json:"user"`
	Workdir        string   `json:"workdir"`

	// What the layers do to each other; absent when a layer cannot be read.
	History      []HistoryRow `json:"history"`
	Efficiency   *float64     `json:"efficiency,omitempty"` // 0 to 1, as dive counts
	WastedBytes  int64        `json:"wasted_bytes"`         // all copies of paths that several layers have, as dive counts
	HiddenBytes  int64        `json:"hidden_bytes"`         // files that no container sees
	UnpackedSize int64        `json:"unpacked_size"`        // of all layers' tars
}

// HistoryRow is a build step as the config tells it, oldest first.
type HistoryRow struct {
	CreatedBy string `json:"created_by"`
	Created   string `json:"created,omitempty"` // RFC 3339
	Comment   string `json:"comment,omitempty"`
	Layer     int    `json:"layer"` // index of the layer that it made, -1 for a step that only changed the config
}

// Layer is one layer of an image, lowest first.
type Layer struct {
	Digest    string `json:"digest"`
	DiffID    string `json:"diff_id"`
	Size      int64  `json:"size"` // as stored, bytes
	MediaType string `json:"media_type"`
	CreatedBy string `json:"created_by,omitempty"`

	Blob         string `json:"blob"`        // the unpacked tar's name as bytes
	Compression  string `json:"compression"` // gzip | zstd | bzip2 | xz, "" for none: by its bytes, not its media type
	UnpackedSize int64  `json:"unpacked_size"`
	ContentBytes int64  `json:"content_bytes"` // of the files in it
	Entries      int    `json:"entries"`       // members of the tar
	Added        int    `json:"added"`         // files (what is no directory) at new paths
	Changed      int    `json:"changed"`       // files in place of one below
	Removed      int    `json:"removed"`       // files of layers below that are gone after this one
	RemovedBytes int64  `json:"removed_bytes"`
	HiddenFiles  int    `json:"hidden_files"` // files of this layer that a layer above hides
	HiddenBytes  int64  `json:"hidden_bytes"`
}

// RunResult answers "what happens when it starts?".
type RunResult struct {
	Outcome   trace.Outcome  `json:"outcome"`
	Console   []string       `json:"console"`
	Steps     []trace.Step   `json:"steps"`
	Facts     scenario.Facts `json:"facts"`
	BytesRead int64          `json:"bytes_read"`
	Needs     []compare.Need `json:"needs,omitempty"` // of a file that goes the other way: what it has and lacks for it
}

// Comparison puts two images, or one under two settings, beside each other.
type Comparison struct {
	Left       ComparedSide          `json:"left"`
	Right      ComparedSide          `json:"right"`
	Rows       []compare.ComparedRow `json:"rows"`
	Execve     *compare.CommonStep   `json:"execve,omitempty"`     // where both reach the same function of the kernel
	Difference *compare.Difference   `json:"difference,omitempty"` // of two runs of one kind
}

// ComparedSide is one image and its run.
type ComparedSide struct {
	Name        string               `json:"name"`
	Kind        string               `json:"kind"` // application | system | rootfs | other
	Formats     []string             `json:"formats"`
	KernelFrom  string               `json:"kernel_from"` // inside | host | platform | none
	KernelCites []blob.Cite          `json:"kernel_evidence"`
	Settings    scenario.RunSettings `json:"settings"`
	Outcome     *trace.Outcome       `json:"outcome,omitempty"` // none for a file that nothing starts
	Facts       scenario.Facts       `json:"facts"`
	Steps       int                  `json:"steps"`         // how many
	Time        time.Duration        `json:"time"`          // of the last step, nanoseconds of virtual time
	Run         *RunResult           `json:"run,omitempty"` // whole, when it was asked for
}

// Request is a message to the worker; Response answers it by ID. Bytes travel beside the JSON.
type Request struct {
	ID       int                   `json:"id"`
	Method   string                `json:"method"`             // open | run | bytes | tree | changes | file | slice | compare | recognise | exercise | predict | library | forget | parse-command
	Name     string                `json:"name,omitempty"`     // open: file name; bytes: blob; tree, changes, file: path
	Off      int64                 `json:"off,omitempty"`      // bytes, file: offset; tree, changes: rows to skip; predict: the hidden step
	Len      int64                 `json:"len,omitempty"`      // bytes, file: bytes; tree, changes: rows at most
	Image    int                   `json:"image,omitempty"`    // tree, changes, file: index in images
	Layer    int                   `json:"layer,omitempty"`    // changes, file: index in layers; file: -1 for what the container or the latest run sees, -2 for what the image came with
	Settings *scenario.RunSettings `json:"settings,omitempty"` // run; compare: of the open image
	Other    *scenario.RunSettings `json:"other,omitempty"`    // compare: of the other image, or of the open one again
	Side     string                `json:"side,omitempty"`     // bytes: left | right
	Text     string                `json:"text,omitempty"`     // recognise: a message from a terminal
	Seed     int64                 `json:"seed,omitempty"`     // exercise
	Command  string                `json:"command,omitempty"`  // parse-command: "docker run …"
}

// Response is the answer. Exactly one of Inspection, Run, Chunk, Tree, Changes, Library, Candidates,
// Kinds, Exercise, Comparison, Command and Failure is set, or none for methods without a result.
type Response struct {
	ID         int                  `json:"id"`
	Inspection *Inspection          `json:"inspection,omitempty"`
	Run        *RunResult           `json:"run,omitempty"`
	Chunk      *Chunk               `json:"chunk,omitempty"`
	Tree       *TreeListing         `json:"tree,omitempty"`
	Changes    *ChangeListing       `json:"changes,omitempty"`
	Library    []LibraryEntry       `json:"library,omitempty"`
	Candidates []scenario.Candidate `json:"candidates,omitempty"` // recognise: best first; none when nothing is like the message
	Kinds      []trace.Kind         `json:"kinds,omitempty"`      // predict: what might come instead of the true kind
	Exercise   *exercise.Exercise   `json:"exercise,omitempty"`
	Comparison *Comparison          `json:"comparison,omitempty"`
	Command    *scenario.Command    `json:"command,omitempty"`
	Progress   *ProgressReport      `json:"progress,omitempty"` // any number before the answer
	Unkept     string               `json:"unkept,omitempty"`   // run: after the answer, the image that the full library did not take
	Failure    *Failure             `json:"failure,omitempty"`
}

// Chunk describes the bytes that travel beside a response.
type Chunk struct {
	Blob string      `json:"blob"`
	Off  int64       `json:"off"`
	Size int64       `json:"size"`           // of the whole blob
	From []blob.Span `json:"from,omitempty"` // the parent's bytes it was computed from
	Gaps [][2]int64  `json:"gaps,omitempty"` // offset and length in the chunk of what a slice did not keep
	At   []blob.Span `json:"at,omitempty"`   // of a file: where the bytes lie
}

// TreeListing is a directory as a container or a running system sees it, with what layers hide in it.
type TreeListing struct {
	Path    string      `json:"path"` // with a leading slash
	Total   int         `json:"total"`
	Off     int         `json:"off"`
	Entries []TreeEntry `json:"entries"` // by name

	Elsewhere []string `json:"elsewhere,omitempty"` // names that other volumes of the disk have in such a directory, folders with a slash
}

// TreeEntry is a name in a directory.
type TreeEntry struct {
	Name   string     `json:"name"`
	Gone   bool       `json:"gone,omitempty"` // no container sees it: all copies are hidden
	Copies []FileCopy `json:"copies"`         // uppermost layer first; one for a file of a disk

	Patched string `json:"patched,omitempty"` // of a disk, by the settings of the latest run: removed | written | added
}

// FileCopy is what one layer has at a path.
type FileCopy struct {
	Layer    int         `json:"layer"`
	Type     string      `json:"type"` // file | directory | symlink | character | block | fifo | socket
	Mode     string      `json:"mode"` // octal: "0755", "4755"
	UID      uint32      `json:"uid"`
	GID      uint32      `json:"gid"`
	Size     int64       `json:"size"`
	Link     string      `json:"link,omitempty"`   // target of a symbolic link; of a hard link its first name
	HiddenBy int         `json:"hidden_by"`        // index of the layer that hides it, -1: it shows
	Hiding   string      `json:"hiding,omitempty"` // whiteout | opaque | replaced
	Action   string      `json:"action,omitempty"` // added | changed | kept
	Cites    []blob.Cite `json:"evidence,omitempty"`
}

// ChangeListing is what one layer does at and below a path.
type ChangeListing struct {
	Layer   int           `json:"layer"`
	Path    string        `json:"path"`
	Total   int           `json:"total"`
	Off     int           `json:"off"`
	Changes []LayerChange `json:"changes"` // directories before what is in them
}

// LayerChange is one thing that a layer does.
type LayerChange struct {
	Path   string    `json:"path"`           // with a leading slash
	Action string    `json:"action"`         // added | changed | removed
	Copy   *FileCopy `json:"copy,omitempty"` // what the layer brings
	How    string    `json:"how,omitempty"`  // of a removal: whiteout | opaque
	Files  int       `json:"files"`          // that a removal takes away
	Bytes  int64     `json:"bytes"`          // that the change brings or takes away
}

// ProgressReport says how far long work is.
type ProgressReport struct {
	Stage     string `json:"stage"` // open | run
	BytesRead int64  `json:"bytes_read"`
}

// LibraryEntry is a slice kept by the browser.
type LibraryEntry struct {
	Key    string      `json:"key"`
	Origin blob.Origin `json:"origin"`
	Kind   string      `json:"kind"`
	Size   int64       `json:"size"`
}

// Failure is an input that cannot be opened: what was expected, what was found, where.
type Failure struct {
	Code    string `json:"code"` // format | unsupported | read | internal
	Message string `json:"message"`
	Want    string `json:"want,omitempty"`
	Got     string `json:"got,omitempty"`
	Where   string `json:"where,omitempty"`
}

// Trace is the run as the engine has it.
func (r *RunResult) Trace() *trace.Trace { return &trace.Trace{Steps: r.Steps, Outcome: r.Outcome} }
