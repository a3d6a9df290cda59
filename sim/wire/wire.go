// Package wire is what crosses from the engine to a page or a terminal: plain structs, JSON by their
// tags. It is the stable contract that docs/json.md describes, and the source of the generated
// TypeScript types; names avoid TypeScript's globals.
package wire

import (
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/compare"
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
	Arch    string      `json:"arch"` // as GOARCH
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
	Kind string `json:"kind"` // systemd | sysvinit | openrc | busybox | runit | s6 | other
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
}

// Layer is one layer of an image, lowest first.
type Layer struct {
	Digest    string `json:"digest"`
	DiffID    string `json:"diff_id"`
	Size      int64  `json:"size"` // as stored, bytes
	MediaType string `json:"media_type"`
	CreatedBy string `json:"created_by,omitempty"`
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
	Method   string                `json:"method"`             // open | run | bytes | slice | compare | library | forget | parse-command
	Name     string                `json:"name,omitempty"`     // open: file name; bytes: blob
	Off      int64                 `json:"off,omitempty"`      // bytes
	Len      int64                 `json:"len,omitempty"`      // bytes
	Settings *scenario.RunSettings `json:"settings,omitempty"` // run; compare: of the open image
	Other    *scenario.RunSettings `json:"other,omitempty"`    // compare: of the other image, or of the open one again
	Side     string                `json:"side,omitempty"`     // bytes: left | right
	Command  string                `json:"command,omitempty"`  // parse-command: "docker run …"
}

// Response is the answer. Exactly one of Inspection, Run, Chunk, Library, Comparison, Command and Failure is set, or none
// for methods without a result.
type Response struct {
	ID         int               `json:"id"`
	Inspection *Inspection       `json:"inspection,omitempty"`
	Run        *RunResult        `json:"run,omitempty"`
	Chunk      *Chunk            `json:"chunk,omitempty"`
	Library    []LibraryEntry    `json:"library,omitempty"`
	Comparison *Comparison       `json:"comparison,omitempty"`
	Command    *scenario.Command `json:"command,omitempty"`
	Progress   *ProgressReport   `json:"progress,omitempty"` // any number before the answer
	Failure    *Failure          `json:"failure,omitempty"`
}

// Chunk describes the bytes that travel beside a response.
type Chunk struct {
	Blob string      `json:"blob"`
	Off  int64       `json:"off"`
	Size int64       `json:"size"`           // of the whole blob
	From []blob.Span `json:"from,omitempty"` // the parent's bytes it was computed from
	Gaps [][2]int64  `json:"gaps,omitempty"` // offset and length in the chunk of what a slice did not keep
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
