package tests

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layers says who may import whom among our own packages; docs/architecture.md draws it. A package that no
// row names is a mistake too.
var layers = []layer{
	{[]string{"sim/blob"}, nil},
	{[]string{"sim/decode", "sim/trace"}, []string{"sim/blob"}},
	{[]string{"sim/stream"}, []string{"sim/blob", "sim/decode"}},
	{[]string{"sim/fsys"}, []string{"sim/blob", "sim/decode"}},
	{[]string{"sim/disk"}, []string{"sim/blob", "sim/decode", "sim/fsys"}},
	{[]string{"sim/fsys/", "sim/disk/", "sim/exe/", "sim/conf/", "sim/archive", "sim/oci"},
		[]string{"sim/blob", "sim/decode", "sim/stream", "sim/fsys", "sim/fsys/", "sim/disk", "sim/disk/", "sim/exe/", "sim/conf/", "sim/archive"}},
	{[]string{"sim/identify"}, formats()},
	{[]string{"sim/machine"}, []string{"sim/blob", "sim/trace"}},
	{[]string{"sim/kernel"}, []string{"sim/blob", "sim/decode", "sim/trace", "sim/machine", "sim/fsys", "sim/fsys/union", "sim/exe/", "sim/conf/"}},
	{[]string{"sim/boot", "sim/container"}, formats("sim/trace", "sim/machine", "sim/kernel")},
	{[]string{"sim/scenario"}, formats("sim/trace", "sim/machine", "sim/kernel", "sim/identify", "sim/boot", "sim/container")},
	{[]string{"sim/compare"}, formats("sim/trace", "sim/identify", "sim/scenario")},
	{[]string{"sim/exercise"}, []string{"sim/fsys", "sim/trace", "sim/scenario", "sim/compare"}},
	{[]string{"sim/wire"}, formats("sim/trace", "sim/identify", "sim/scenario", "sim/compare", "sim/exercise")},
	{[]string{"sim/wire/tsgen"}, nil},
	{[]string{"content/scenarios"}, nil}, // data
	{[]string{"content/messages"}, []string{"sim/trace"}},
	{[]string{"sim/cmd/bootpath"}, []string{"content/messages", "content/scenarios", "sim/blob", "sim/trace", "sim/scenario", "sim/compare", "sim/exercise", "sim/wire"}},
	{[]string{"wasm"}, []string{"content/scenarios", "sim/blob", "sim/trace", "sim/scenario", "sim/compare", "sim/exercise", "sim/wire"}},
	{[]string{"tests", "tests/"}, []string{"sim/", "wasm", "content/messages", "content/scenarios"}},
}

type layer struct {
	packages []string // below bootpath/; a trailing / stands for all below
	may      []string
}

func formats(more ...string) []string {
	return append([]string{"sim/blob", "sim/decode", "sim/stream", "sim/fsys", "sim/fsys/", "sim/disk", "sim/disk/", "sim/exe/", "sim/conf/", "sim/archive", "sim/oci"}, more...)
}

func matches(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return pkg == p || (strings.HasSuffix(p, "/") && strings.HasPrefix(pkg, p))
	})
}

// forbidden are packages that no sim package but the command may import: the engine has no clock, no
// chance, no files, no network, and no browser.
var forbidden = []string{"syscall/js", "os", "net", "net/http", "log", "math/rand", "math/rand/v2"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T, env ...string) []goPackage {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		require.NoError(t, d.Decode(&p))
		all = append(all, p)
	}
	return all
}

func TestLayers(t *testing.T) {
	packages := append(list(t), list(t, "GOOS=js", "GOARCH=wasm")...)
	require.NotEmpty(t, packages)
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, "bootpath/")
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(name, l.packages) })
		if !assertRow(t, name, i) {
			continue
		}
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, "bootpath/"); ok && !matches(own, layers[i].may) {
				t.Errorf("%s imports %s; it may import %v", name, own, layers[i].may)
			}
			tool := strings.HasPrefix(name, "sim/cmd/") || strings.HasSuffix(name, "/tsgen")
			if strings.HasPrefix(name, "sim/") && !tool && slices.Contains(forbidden, imp) {
				t.Errorf("%s imports %s; the engine must not", name, imp)
			}
		}
	}
}

func assertRow(t *testing.T, name string, i int) bool {
	if i < 0 {
		t.Errorf("no layer names the package %s", name)
	}
	return i >= 0
}
