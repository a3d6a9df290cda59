package identify

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/conf/wsl"
	"bootpath/sim/oci"
)

// What a file is made for, beyond its format. The names stand last in [Image.Formats].
const (
	FormatWSL       = "wsl"
	FormatFlatpak   = "flatpak"
	FormatBuildpack = "buildpack"
	FormatBPF       = "ebpf"
	FormatHelm      = "helm-chart"
	FormatEFI       = "efi-application"
	FormatWasm      = "wasm-module"
)

// artifactName is what people call an artifact of that media type.
func artifactName(mediaType string) string {
	switch mediaType {
	case "application/vnd.cncf.helm.config.v1+json":
		return FormatHelm
	case "application/vnd.wasm.config.v0+json", "application/vnd.wasm.config.v1+json":
		return FormatWasm
	case "application/vnd.gadget.config.v1+yaml", "application/vnd.gadget.v1+binary": // Inspektor Gadget, "Image specification"
		return FormatBPF
	}
	return mediaType
}

// WhyNot says why nothing starts from a file of kind [Other].
func (im *Image) WhyNot() string {
	switch what := im.Formats[len(im.Formats)-1]; what {
	case FormatHelm:
		return "a Helm chart is a template of objects for Kubernetes; the images that it names are started, not the chart"
	case FormatWasm:
		return "a WebAssembly module needs a runtime for it; no Linux process is started from its bytes"
	case FormatBPF:
		return "an eBPF gadget is loaded into the kernel of a host by its tool (ig, kubectl gadget); no process is started"
	case FormatFlatpak:
		return "a Flatpak bundle is an OSTree delta: flatpak installs it and starts the application inside a runtime that the bundle does not have"
	default:
		return fmt.Sprintf("a file of format %s cannot be started by itself", what)
	}
}

// IsProgram tells a UEFI application that is no kernel: firmware can start it by itself.
func (im *Image) IsProgram() bool { return im.Formats[len(im.Formats)-1] == FormatEFI }

// isFlatpakBundle tells a single-file bundle: flatpak common/flatpak-utils.c and the shared MIME database,
// application/vnd.flatpak.
func isFlatpakBundle(head []byte) bool {
	return strings.HasPrefix(string(head), "flatpak\x00\x01\x00\x89\xe5")
}

// nameRootFS recognises a distribution for WSL: by what it has for WSL, or by the name that Windows opens.
func (im *Image) nameRootFS(name string) {
	var found []string
	for _, p := range []string{wsl.DistributionPath, wsl.ConfPath} {
		if fi, err := fs.Stat(im.Root, p); err == nil && fi.Mode().IsRegular() {
			found = append(found, "/"+p)
		}
	}
	if len(found) == 0 && !strings.EqualFold(path.Ext(name), ".wsl") {
		return
	}
	im.Formats = append(im.Formats, FormatWSL)
	what := "its name ends in .wsl"
	if len(found) > 0 {
		what = "it has " + strings.Join(found, " and ")
	}
	im.Notes = append(im.Notes, "a distribution for WSL: "+what+"; Windows brings kernel and init")
}

// IsWSL tells a root file system for WSL.
func (im *Image) IsWSL() bool { return im.Kind == RootFS && slices.Contains(im.Formats, FormatWSL) }

// nameApplication recognises images that are made for something else than a container engine, or made by
// something that leaves its marks, by the labels of their configs.
func (im *Image) nameApplication() {
	named := map[string]bool{}
	for i := range im.Archive.Images {
		format, note := purpose(&im.Archive.Images[i])
		if format == "" || named[format] {
			continue
		}
		named[format] = true
		im.Formats = append(im.Formats, format)
		im.Notes = append(im.Notes, note)
	}
}

func purpose(im *oci.Image) (format, note string) {
	labels := im.Config.Config.Labels
	get := func(key string) (string, bool) {
		if v, ok := labels[key]; ok {
			return v, true
		}
		return im.Annotation(key)
	}
	if ref, ok := get("org.flatpak.ref"); ok {
		return FormatFlatpak, fmt.Sprintf("a Flatpak (%s): flatpak starts it inside a runtime of its own, under the host's kernel; it has no command for a container engine", ref)
	}
	for _, key := range []string{"io.ebpf.programs", "io.ebpf.program_name", "io.ebpf.filename"} { // bpfman, "eBPF bytecode image specifications"
		if v, ok := labels[key]; ok {
			return FormatBPF, fmt.Sprintf("eBPF bytecode (%s=%s): bpfman loads it into the host's kernel; no process is started from it", key, v)
		}
	}
	for _, key := range []string{"io.buildpacks.build.metadata", "io.buildpacks.lifecycle.metadata"} { // Cloud Native Buildpacks, platform specification
		if _, ok := labels[key]; ok {
			return FormatBuildpack, "built by Cloud Native Buildpacks: its entrypoint is the lifecycle's launcher, which starts a process of /layers/config/metadata.toml"
		}
	}
	return "", ""
}
